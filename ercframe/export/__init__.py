"""Making a folder of a trained run that predicts without it: weights, programs and a model card."""
