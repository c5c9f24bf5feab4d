"""The device: its facts, whether it is fit to run and be measured, timing, and the measurement behind ``evaluate``."""
