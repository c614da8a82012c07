package auth

import (
	"slices"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Role is the id of a named set of actions.
type Role string

// The roles that are shipped. An agency may change their sets, and make more.
const (
	Administrator   Role = "administrator"
	EvidenceManager Role = "evidence-manager"
	Supervisor      Role = "supervisor"
	Operator        Role = "operator"
	Investigator    Role = "investigator"
	Officer         Role = "officer"
	Prosecutor      Role = "prosecutor"
	Auditor         Role = "auditor"
)

// shipped is a role of the program, and on what its holders may use it.
type shipped struct {
	id      Role
	name    string
	about   string
	on      catalog.Scope // "": on nothing before there is a grant
	actions []Action
}

var looking = []Action{SeeOverview, ListItems, ViewItem, PlayItem, OpenReceipt}

func shippedRoles() []shipped {
	with := func(more ...Action) []Action { return slices.Concat(looking, more) }
	everything := []Action{}
	for _, d := range Deeds() {
		everything = append(everything, d.Action)
	}
	return []shipped{
		{Administrator, "Administrator", "Everything, people and keys included.", catalog.OnAgency, everything},
		{EvidenceManager, "Evidence manager", "All recordings, in and out; cameras and what is missing.", catalog.OnAgency,
			with(DownloadItem, EditItem, FreezeEvidence, UnfreezeEvidence, ListCases, ManageCases, ListDocks, ListCameras, AssignCamera, HoldCamera, EndCameraHold, SettleFinding, ListAlerts, AcknowledgeAlert, ChangeQueue, ListFirmware, ListSettings)},
		{Supervisor, "Supervisor", "Watches what the people of a group or station recorded; wants a grant that says which.", "",
			with(FreezeEvidence, ListDocks, ListCameras, AssignCamera, HoldCamera, ListAlerts)},
		{Operator, "Ingest operator", "Keeps docks and cameras working, and hands recordings out.", catalog.OnAgency,
			with(DownloadItem, ListDocks, ListFirmware, ListSettings, ListCameras, AssignCamera, HoldCamera, ListAlerts, AcknowledgeAlert, ChangeQueue)},
		{Investigator, "Investigator", "Works with recordings and takes them away; wants a grant that says which.", "", with(DownloadItem, EditItem, ListCases, ManageCases)},
		{Officer, "Officer", "Watches what they recorded themselves, and says what it is.", catalog.OnOwn, with(EditItem)},
		{Prosecutor, "Prosecutor", "Watches and takes away what was granted, and nothing else.", "", with(DownloadItem, ListCases)},
		{Auditor, "Auditor", "Sees everything, and who may do what; changes nothing and takes nothing away.", catalog.OnAgency,
			with(ListCases, ListDocks, ListCameras, ListAlerts, ListFirmware, ListSettings, ListAccounts, ReadAudit, SeePosture)},
	}
}

// shippedGrant is the id of the grant that is shipped with a role.
func shippedGrant(role Role) string { return "shipped." + string(role) }

// merged adds what is shipped to what an agency keeps: a row of its own takes the
// place of what is shipped.
func merged(p *catalog.Powers, agency evidence.AgencyID) *catalog.Powers {
	all := *p
	all.Roles, all.Grants = slices.Clone(p.Roles), nil
	for _, s := range shippedRoles() {
		if !slices.ContainsFunc(p.Roles, func(r catalog.Role) bool { return r.ID == string(s.id) }) {
			all.Roles = append(all.Roles, s.row(agency))
		}
		id := shippedGrant(s.id)
		if s.on != "" && !slices.ContainsFunc(p.Grants, func(g catalog.Grant) bool { return g.ID == id }) {
			all.Grants = append(all.Grants, s.grant(agency))
		}
	}
	all.Roles = slices.DeleteFunc(all.Roles, func(r catalog.Role) bool { return !r.RemovedAt.IsZero() })
	for _, g := range p.Grants {
		if g.EndedAt.IsZero() {
			all.Grants = append(all.Grants, g)
		}
	}
	slices.SortStableFunc(all.Roles, func(a, b catalog.Role) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return &all
}

func (s *shipped) row(agency evidence.AgencyID) catalog.Role {
	actions := make([]string, len(s.actions))
	for i, do := range s.actions {
		actions[i] = string(do)
	}
	return catalog.Role{Agency: agency, ID: string(s.id), Name: s.name, About: s.about, Actions: actions}
}

func (s *shipped) grant(agency evidence.AgencyID) catalog.Grant {
	return catalog.Grant{Agency: agency, ID: shippedGrant(s.id), Holder: catalog.ToRole, HolderID: string(s.id), Role: string(s.id), Scope: s.on, Reason: "shipped with the role"}
}

// isShipped reports whether a role is one of the program.
func isShipped(role string) bool {
	return slices.ContainsFunc(shippedRoles(), func(s shipped) bool { return string(s.id) == role })
}

// shippedIDs names the roles of the program.
func shippedIDs() string {
	var ids []string
	for _, s := range shippedRoles() {
		ids = append(ids, string(s.id))
	}
	return strings.Join(ids, ", ")
}

// ShippedPowers are those of a role as it is shipped, and of more grants to its holders,
// for an actor that no catalog knows.
func ShippedPowers(role Role, more ...catalog.Grant) *Powers {
	agency := evidence.AgencyID("shipped")
	return newBook(merged(&catalog.Powers{Grants: more}, agency)).of(&catalog.User{ID: "shipped", Agency: agency, Role: string(role)}, circumstances{})
}
