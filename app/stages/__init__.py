"""One task of the card each: Forward, Denoise."""
