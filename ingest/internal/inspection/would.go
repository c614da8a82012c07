package inspection

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// made is what acts do to what has no name before.
var made = map[evidence.EventType]string{
	evidence.EventUserInvited: "invite a person", evidence.EventGrantMade: "make a grant", evidence.EventRoleChanged: "make a role", evidence.EventGroupChanged: "make a group",
	evidence.EventWebhookMade: "make a webhook", evidence.EventPackaged: "make a custody package of several recordings",
	evidence.EventFirmwareWithdrawn: "withdraw firmware", evidence.EventAlertAcknowledged: "acknowledge an alert",
}

// Would puts an act that was not done yet into words, as in "disable the account of
// Jonah Reyes". object is what its event will be about; "": it has no name yet.
func (s *Service) Would(ctx context.Context, kind evidence.EventType, object string) (string, error) {
	if object == "" {
		if text := made[kind]; text != "" {
			return text, nil
		}
	}
	people, err := s.people(ctx)
	if err != nil {
		return "", err
	}
	name, err := s.named(ctx, people, object)
	if err != nil {
		return "", err
	}
	for i := range acts {
		if acts[i].kind == kind {
			return strings.ReplaceAll(acts[i].to, "%", name), nil
		}
	}
	return "do “" + string(kind) + "” to " + name, nil
}

// named is an object's name as it is now.
func (s *Service) named(ctx context.Context, people *people, object string) (string, error) {
	n := &naming{s, people, map[string]string{}}
	kind, id, _ := strings.Cut(object, ":")
	switch kind {
	case "role", "group", "grant":
	default:
		return n.object(ctx, object)
	}
	p, err := s.Catalog.Powers(ctx, s.Agency)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(p.Roles, func(r catalog.Role) bool { return r.ID == id }); kind == "role" && i >= 0 {
		return "“" + p.Roles[i].Name + "”", nil
	}
	if i := slices.IndexFunc(p.Groups, func(g catalog.Group) bool { return g.ID == id }); kind == "group" && i >= 0 {
		return "“" + p.Groups[i].Name + "”", nil
	}
	if kind != "grant" {
		return "“" + id + "”", nil
	}
	g, err := s.Catalog.Grant(ctx, s.Agency, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return "a role, as it is shipped", nil
	} else if err != nil {
		return "", err
	}
	switch g.Holder {
	case catalog.ToPerson:
		return n.object(ctx, evidence.UserObject(g.HolderID))
	case catalog.ToGroup:
		return s.named(ctx, people, evidence.GroupObject(g.HolderID))
	}
	return "everybody with the role “" + g.HolderID + "”", nil
}
