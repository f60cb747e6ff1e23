"""What happens: the use cases, one module a domain. Permission, then persistence, then the event."""
