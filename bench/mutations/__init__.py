"""Mutations: comments and likes a second, and a storm of acknowledgements."""
