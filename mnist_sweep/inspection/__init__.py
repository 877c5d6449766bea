"""What a trained network does, in numbers and in figures."""
