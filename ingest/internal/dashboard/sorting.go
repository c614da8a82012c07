package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// sortBy is a column that a table can be ordered by.
type sortBy[T any] struct {
	name, word string
	compare    func(a, b *T) int
}

// column is the head of such a column.
type column struct {
	Word, Link string
	Sort       string // as aria-sort has it; "": by another column
	Number     bool
}

// lastly compares texts, those that are empty behind all others.
func lastly(a, b string) int {
	if (a == "") != (b == "") {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// sorted orders rows as the address asks, or else as the person's browser was told the
// last time, or else leaves them. It returns the heads, whose links turn the order round.
// The order is remembered in a cookie of this table's, which holds nothing else.
func sorted[T any](w http.ResponseWriter, r *http.Request, path string, rows []T, by []sortBy[T]) []column {
	cookie := "__Host-order" + strings.ReplaceAll(path, "/", "-")
	order := r.URL.Query().Get("sort")
	if order == "" {
		if last, err := r.Cookie(cookie); err == nil {
			order = last.Value
		}
	}
	name, down := strings.CutPrefix(order, "-")
	var heads []column
	for _, b := range by {
		q := url.Values{}
		for field, values := range r.URL.Query() {
			if field != "from" && field != "done" && len(values) > 0 && values[0] != "" {
				q.Set(field, values[0])
			}
		}
		q.Set("sort", b.name)
		head := column{Word: b.word}
		if b.compare == nil {
			heads = append(heads, head)
			continue
		}
		if b.name == name {
			head.Sort = "ascending"
			if down {
				head.Sort = "descending"
			} else {
				q.Set("sort", "-"+b.name)
			}
			slices.SortStableFunc(rows, func(x, y T) int {
				if down {
					return b.compare(&y, &x)
				}
				return b.compare(&x, &y)
			})
			if r.URL.Query().Has("sort") {
				http.SetCookie(w, &http.Cookie{Name: cookie, Value: order, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 365 * 24 * 3600})
			}
		}
		head.Link = path + "?" + q.Encode()
		heads = append(heads, head)
	}
	return heads
}
