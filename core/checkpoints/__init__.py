"""Published checkpoints: files of weights from elsewhere, told apart, understood, and opened exactly or refused."""
