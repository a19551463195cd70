"""The window. Nothing here touches a tensor."""
