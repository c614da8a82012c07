package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Actor is a signed-in person.
type Actor struct {
	User    string // user id
	Agency  evidence.AgencyID
	Login   string
	Name    string
	Role    Role // of the account; what it may do is in Powers
	Origin  Origin
	Session evidence.Digest // hash of the session's token; zero with a Token

	Factor    string    // what was shown last in the session, see Password and the others
	FactorAt  time.Time // when, as far as it counts for Fresh
	MustEnrol bool      // only the own account may be worked on, see Owner
	Client    Client    // with what kind of program; "" is Web

	Token *TokenInfo // that asks in the person's name; nil: the person does

	RoleName string  // of Role, for people
	Powers   *Powers // nil: may do nothing

	service *Service // that let them in; nil: made by hand
}

// Origin is where a request came from.
type Origin struct {
	Address string // network address without port
	Browser string // as the browser calls itself; hostile text
	Notice  string // with a sign-in: SHA-256 of the use notice that was accepted
}

// Custody returns how the person is named in custody events, and which token of theirs
// asked.
func (a *Actor) Custody() evidence.Actor {
	return evidence.Actor{Kind: "user", ID: a.User, Name: a.Name, Client: a.client()}
}

func (a *Actor) client() string {
	if a.Token == nil {
		return a.Origin.Browser
	}
	return clip("token "+a.Token.ID+"; "+a.Origin.Browser, 300)
}

// Object is what an action is done on: a whole agency, or of it a station with its
// docks and cameras, a case, or one item.
type Object struct {
	Agency  evidence.AgencyID
	Station evidence.StationID
	Case    string        // id
	Item    *catalog.Item // nil: it is none
}

// StationObject is a station with its docks, cameras and alerts as an Object; "" is what
// only the whole agency holds.
func StationObject(agency evidence.AgencyID, station evidence.StationID) Object {
	return Object{Agency: agency, Station: station}
}

// ItemObject is an item as an Object.
func ItemObject(i *catalog.Item) Object {
	return Object{Agency: i.Agency, Station: i.Station, Item: i}
}

// May reports whether the person may do the action on the object. What no grant
// gives is denied, as is everything of another agency.
func May(a *Actor, do Action, on Object) bool {
	if on.Agency == "" {
		return false
	}
	reach := ReachOf(a, do, on.Agency)
	switch {
	case on.Item != nil:
		return on.Item.Agency == on.Agency && reach.Holds(on.Item)
	case on.Case != "":
		return reach.HoldsCase(on.Case)
	case on.Station != "":
		return reach.HoldsStation(on.Station)
	}
	return reach.All
}

// MaySome reports whether the person may do the action on anything of the agency.
func MaySome(a *Actor, do Action, agency evidence.AgencyID) bool {
	return !ReachOf(a, do, agency).None()
}

// ReachOf returns on what of an agency the person may do an action: what a list for
// that person holds, and what May says yes to. It is not to be changed.
func ReachOf(a *Actor, do Action, agency evidence.AgencyID) *catalog.Reach {
	if a == nil || a.User == "" || a.Powers == nil || agency == "" || a.Agency != agency {
		return &catalog.Reach{}
	}
	return a.Powers.reach(do)
}

// Find looks an item up for a person who wants to do something on it, without its
// statements. What the person may not even see is catalog.ErrNotFound, as is what is
// not there, after the same work; of what they see but may not do it is ErrForbidden.
func Find(ctx context.Context, items *sqldb.Reader, a *Actor, do Action, agency evidence.AgencyID, id evidence.EvidenceID) (*catalog.Item, error) {
	if !MaySome(a, do, agency) {
		return nil, ErrForbidden
	}
	item, err := items.ItemRow(ctx, agency, id)
	switch {
	case err != nil:
		return nil, err
	case May(a, do, ItemObject(item)):
		return item, nil
	case Sees(a, item):
		return nil, ErrForbidden
	}
	return nil, fmt.Errorf("item %s is out of reach: %w", id, catalog.ErrNotFound)
}

// Sees reports whether a person may know that an item is there.
func Sees(a *Actor, item *catalog.Item) bool {
	return May(a, ListItems, ItemObject(item)) || May(a, ViewItem, ItemObject(item))
}

// Refusal is why an act was refused, for its event; err is what Find returned.
func Refusal(err error, do Action) string {
	if errors.Is(err, catalog.ErrNotFound) {
		return "no such item is within reach"
	}
	return "no grant allows " + string(do)
}
