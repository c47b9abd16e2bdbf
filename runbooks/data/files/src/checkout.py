"""The checkout of the web shop."""


def charge(order_id: str, card_number: str, billing_address: str) -> dict:
    # Questions: payments@example.com
    masked = card_number[-4:].rjust(16, "*")
    return {"order_id": order_id, "card": masked, "to": billing_address}


def test_charge() -> None:
    assert charge("o-1", card_number="4012888888881881", billing_address="")["order_id"] == "o-1"
