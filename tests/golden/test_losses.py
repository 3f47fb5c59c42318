"""The semantic loss on recorded logits and masks: the recorded values and gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ultralytics.nn.kernels import upsampled_ce_dice

CASES = [
    "nc1",
    "nc1_all255",
    "nc1_classweights_ignored",
    "nc11",
    "nc11_all255",
    "nc11_b1_samesize",
    "nc11_classweights",
    "nc11_noaux",
    "nc19",
    "nc19_absent",
    "nc19_cityscapes",
    "nc150",
]


@pytest.mark.parametrize("case", CASES)
def test_recorded_values_and_gradients(case: str, recorded: Path) -> None:
    facts = {key: torch.from_numpy(value) for key, value in np.load(recorded / f"loss/sem_{case}.npz").items()}
    weights = facts.get("class_weight")
    main = facts["main"].requires_grad_()
    ce, dice = upsampled_ce_dice(main, facts["mask"], class_weights=weights)
    aux_ce = torch.zeros(())
    if "aux" in facts:
        aux = facts["aux"].requires_grad_()
        aux_ce = 0.4 * upsampled_ce_dice(aux, facts["mask"], class_weights=weights, dice=False)[0]
    total = (ce + dice + aux_ce) * len(main)
    total.backward()
    values = {"ce_loss": ce, "dice_loss": dice, "aux_loss": aux_ce, "total": total}
    for name, value in values.items():
        torch.testing.assert_close(value.detach(), facts[name].view(()), rtol=0, atol=1e-5, msg=name)
    torch.testing.assert_close(main.grad, facts["grad_main"], rtol=1e-5, atol=1e-7)
    if "aux" in facts:
        torch.testing.assert_close(aux.grad, facts["grad_aux"], rtol=1e-5, atol=1e-7)
