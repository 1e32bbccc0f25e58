package dixa

// SetMaxResponseBytes replaces MaxResponseBytes for one client.
func (c *Client) SetMaxResponseBytes(n int64) { c.maxBytes = n }
