"""The records that commands exchange (run folder, evaluation), their validation, and files written whole or not at
all."""
