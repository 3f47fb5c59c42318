// Runs a TF.js graph model in node: images in by the standard input, answers out by the standard output.
//
// usage: node tfjs.js FOLDER MODEL
//   FOLDER  has the node_modules with TF.js
//   MODEL   folder with model.json and its weights
//
// Says {"shape": [...]} of its input, as a line, when the model is loaded. Then each input, as bytes of 32-bit floats,
// is answered by a line {"shape": [...], "dtype": "float32" | "int32"} and the bytes of the output.

"use strict";

const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");

const [folder, model] = process.argv.slice(2);
const load = createRequire(path.join(folder, "node_modules", "tfjs.js"));

console.log = console.error; // whatever TF.js has to say is no answer

function say(header, bytes) {
  process.stdout.write(JSON.stringify(header) + "\n");
  if (bytes) process.stdout.write(bytes);
}

// node has no loader for files that needs no compiled parts
const files = {
  load: async () => {
    const description = JSON.parse(fs.readFileSync(path.join(model, "model.json"), "utf8"));
    const groups = description.weightsManifest;
    const parts = groups.flatMap((group) => group.paths).map((name) => fs.readFileSync(path.join(model, name)));
    const bytes = Buffer.concat(parts);
    return {
      modelTopology: description.modelTopology,
      format: description.format,
      signature: description.signature,
      weightSpecs: groups.flatMap((group) => group.weights),
      weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    };
  },
};

async function main() {
  const tf = load("@tensorflow/tfjs-core");
  load("@tensorflow/tfjs-backend-wasm");
  await tf.setBackend("wasm");
  const network = await load("@tensorflow/tfjs-converter").loadGraphModel(files);
  const shape = network.inputs[0].shape;
  const size = 4 * shape.reduce((product, length) => product * length, 1);
  say({ shape });

  const input = new Uint8Array(size);
  let filled = 0;
  for await (let chunk of process.stdin) {
    while (chunk.length > 0) {
      const count = chunk.copy(input, filled);
      filled += count;
      chunk = chunk.subarray(count);
      if (filled < size) continue;
      filled = 0;
      const output = tf.tidy(() => network.execute(tf.tensor(new Float32Array(input.buffer.slice(0)), shape)));
      const answer = await output.data();
      say({ shape: output.shape, dtype: output.dtype }, Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength));
      output.dispose();
    }
  }
}

main().catch((error) => {
  say({ error: String(error.message || error) });
  process.exitCode = 1;
});
