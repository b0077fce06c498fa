"""A small recipe without a mistake, to be changed or spoilt."""

MINE = """\
modalities: [text, audio]
dataset: {type: synthetic, train: 6, dev: 3, test: 3}
encoder: {type: identity, width: 8}
fusion: {type: gated}
classifier: {type: linear}
losses:
  task: {type: cross_entropy}
  distill: {type: self_distillation, weight: {hard: 1.0, soft: 0.5}}
trainer:
  epochs: 2
  optimizer: {lr: 1e-3}
protocol: {seeds: 1}
demo: {encoder.width: 4}
"""
