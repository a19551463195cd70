"""Diffusion mathematics, networks, samplers, training and the engine. Nothing here knows of Qt."""
