"""The page for people at `/`: rendered on the server, with style and a little script of its own and nobody else's."""

from sparseembed.serving.page.router import page_router

__all__ = ["page_router"]
