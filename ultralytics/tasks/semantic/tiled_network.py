"""A network that looks at images of any size in tiles: to whoever calls it, a network like any other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from ultralytics.engine.predict.tiling import TileGrid, stitch
from ultralytics.engine.validator import infer_in_pieces
from ultralytics.utils.checks import check_imgsz
from ultralytics.utils.ops.letterbox import PAD_VALUE


class TiledNetwork(nn.Module):
    """Run a network on overlapping tiles of each image and join the logits, as prediction in tiles does.

    Args:
        model: network from images (B, C, H, W) in [0, 1] to logits (B, K, h, w).
        tile: pixels of a tile, rounded up to the stride.
        overlap: least share of a tile that the next one covers too, in [0, 1).
        blend: how overlapping tiles are joined: "none", "linear", "gauss".
        batch: tiles at once.
        stride: what both sides of an input must be a multiple of.
        shrink: an image smaller than a tile makes a smaller tile.

    Example:
        >>> tiled = TiledNetwork(nn.AvgPool2d(8), tile=64, overlap=0.25, blend="linear")
        >>> tiled(torch.rand(1, 3, 96, 160)).shape
        torch.Size([1, 3, 12, 20])
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        tile: int,
        overlap: float,
        blend: str,
        batch: int = 1,
        stride: int = 32,
        shrink: bool = True,
    ) -> None:
        super().__init__()
        self.model = model
        self.tile = check_imgsz(tile, stride=stride)[0]
        self.overlap, self.blend, self.batch = overlap, blend, batch
        self.stride, self.shrink = stride, shrink

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of whole images, (B, K, h, w)."""
        return torch.cat([self._whole(image) for image in images.split(1)])

    def _whole(self, image: Tensor) -> Tensor:
        size = image.shape[2], image.shape[3]
        grid = TileGrid.plan(size, tile=self.tile, overlap=self.overlap, stride=self.stride, shrink=self.shrink)
        bands = stitch(grid, self._logits(image, grid), stride=self.stride, blend=self.blend)
        return torch.cat([band.own for band in bands], dim=2)

    def _logits(self, image: Tensor, grid: TileGrid) -> Iterator[Tensor]:
        """Run the tiles in batches, and yield the logits (K, h, w) of each."""
        windows = grid.windows()
        while part := list(islice(windows, self.batch)):
            tiles = image.new_full((len(part), image.shape[1], grid.rows.tile, grid.columns.tile), PAD_VALUE / 255)
            for tile, (rows, columns) in zip(tiles, part, strict=True):
                tile[:, : rows.stop - rows.start, : columns.stop - columns.start] = image[0, :, rows, columns]
            yield from infer_in_pieces(self.model, tiles).float()
