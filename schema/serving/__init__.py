"""What speaks HTTP and WebSocket and prepares operations. It knows nothing of neighbours."""
