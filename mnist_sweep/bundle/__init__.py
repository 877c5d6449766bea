"""A trained model to take away, and the pictures that it reads."""
