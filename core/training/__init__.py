"""Training: pictures of a folder, the loss, the average of the weights, checkpoints, the run."""
