"""The pages of the server: HTML that works without JavaScript, which only adds what is live."""
