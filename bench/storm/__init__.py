"""An emergency: how long until each of thousands of residents has it, over two processes."""
