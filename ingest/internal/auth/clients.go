package auth

import (
	"slices"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// Limit is how far a role may go with a kind of client.
type Limit string

// The limits. The zero value is none.
const (
	Looking Limit = "look"    // only what looks
	nothing Limit = "nothing" // not at all
)

// Limits are those that can be set.
func Limits() []Limit { return []Limit{Looking, nothing} }

// LimitedClients are the kinds of client that can be limited. The browser is not among
// them: there people set limits, and set them back.
func LimitedClients() []Client { return []Client{API, Mobile} }

// EveryRole stands for all roles in Clients.
const EveryRole Role = "*"

// Clients are limits by role and kind of client. The stronger one counts of a role's
// own and that of every role.
type Clients map[Role]map[Client]Limit

func (c Clients) of(role Role, client Client) Limit {
	own, all := c[role][client], c[EveryRole][client]
	if own == nothing || all == nothing {
		return nothing
	}
	if own == Looking || all == Looking {
		return Looking
	}
	return ""
}

// limited returns of the powers what the client of an actor leaves.
func (p *Powers) limited(a *Actor, limit Limit) *Powers {
	if limit == "" && a.Token == nil {
		return p
	}
	less := &Powers{reaches: map[Action]*catalog.Reach{}}
	for do, on := range p.reaches {
		deed, ok := known(string(do))
		if !ok || limit == nothing || limit == Looking && !deed.Looks {
			continue
		}
		if a.Token != nil && !(ForTokens(do) && slices.Contains(a.Token.Scopes, do)) {
			continue
		}
		less.reaches[do] = on
	}
	return less
}
