package api

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// cut returns one page of a list that a service gives as a whole, in the order of key,
// which no two have in common, and the cursor of the next page. What comes and goes
// between two pages makes neither of them show something twice or leave it out.
func cut[T any](r *Request, all []T, key func(*T) string) (page []T, next string, err error) {
	after, err := base64.RawURLEncoding.Strict().DecodeString(r.Text("cursor"))
	if err != nil {
		return nil, "", refuse(http.StatusBadRequest, "The search cannot be read", "cursor: take it from the next of the page before, with the same search")
	}
	slices.SortStableFunc(all, func(a, b T) int { return strings.Compare(key(&a), key(&b)) })
	page = all
	if len(after) > 0 {
		page = page[firstAfter(page, string(after), key):]
	}
	if limit := r.Number("limit", defaultLimit); len(page) > limit {
		page = page[:limit]
		next = base64.RawURLEncoding.EncodeToString([]byte(key(&page[limit-1])))
	}
	if page == nil {
		page = []T{}
	}
	return page, next, nil
}

func firstAfter[T any](all []T, after string, key func(*T) string) int {
	i, found := slices.BinarySearchFunc(all, after, func(v T, after string) int { return strings.Compare(key(&v), after) })
	if found {
		i++
	}
	return i
}

// newestFirst is a key that puts what is newer first.
func newestFirst(n int64) string {
	const digits = "0123456789abcdef"
	u := ^uint64(n)
	var b [16]byte
	for i := range b {
		b[i] = digits[u>>(60-4*i)&15]
	}
	return string(b[:])
}
