"""``mpp simulate``: MPP days played against a running gateway, and compared with what its reports say of them."""
