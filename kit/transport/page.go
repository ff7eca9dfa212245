package transport

// Page is one page of a list, and where the next begins.
type Page[T any] struct {
	Data []T      `json:"data"`
	Page PageInfo `json:"page"`
}

// PageInfo is where a list goes on.
type PageInfo struct {
	NextCursor *string `json:"next_cursor"`
	HasMore    bool    `json:"has_more"`
}

// NewPage returns a page of data; next is "" on the last one.
func NewPage[T any](data []T, next string) Page[T] {
	p := Page[T]{Data: data}
	if next != "" {
		p.Page = PageInfo{NextCursor: &next, HasMore: true}
	}
	return p
}

func (p Page[T]) nextCursor() string {
	if p.Page.NextCursor == nil {
		return ""
	}
	return *p.Page.NextCursor
}
