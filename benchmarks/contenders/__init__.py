"""What people use instead, written the way its documentation teaches."""
