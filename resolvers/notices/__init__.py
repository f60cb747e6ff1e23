"""Official word.

publishing   sending a notice, superseding it by an update, cancelling it
audiences    for whom a notice is, and which homes that are
receipts     how far it came with each household: delivered, seen, acknowledged, reached in person
deliveries   what live delivery has handed over, written in batches
reading      notices as the viewer may see them
reach        whom a notice reached, and the round to those whom it did not
"""

from resolvers.notices.deliveries import Deliveries

__all__ = ["Deliveries"]
