"""What is on the screen as files: pictures, sheets, films and numbers, each with its recipe."""
