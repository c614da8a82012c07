package auth

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Role is what a person was appointed to.
type Role string

// The roles that exist.
const (
	Administrator Role = "administrator" // everything, accounts included
	Operator      Role = "operator"      // works with evidence, changes no account
)

// Action is one thing that a person may or may not do.
type Action string

// The actions that exist. A new one is denied to everybody until a role below
// has it.
const (
	SeeOverview   Action = "overview.see"
	ListItems     Action = "evidence.list"
	ViewItem      Action = "evidence.view"
	PlayItem      Action = "evidence.play"
	OpenReceipt   Action = "receipt.open"
	DownloadItem  Action = "evidence.download"
	ListDocks     Action = "docks.list"
	ManageAccount Action = "accounts.manage"

	ListFirmware   Action = "firmware.list"
	ManageFirmware Action = "firmware.manage" // publish and withdraw
	ListSettings   Action = "settings.list"

	ListCameras      Action = "cameras.list" // and each one's page, ledger and completeness
	AssignCamera     Action = "cameras.assign"
	HoldCamera       Action = "cameras.hold"
	EndCameraHold    Action = "cameras.end_hold"
	DecideCameraKey  Action = "cameras.decide_key" // approve and block
	BeginCamera      Action = "cameras.begin"      // from which number on its count is looked at
	SettleFinding    Action = "cameras.settle"     // an entry of its completeness that cannot be mended
	ListAlerts       Action = "alerts.list"
	AcknowledgeAlert Action = "alerts.acknowledge"

	ChangeQueue     Action = "queue.change"     // what goes first at a dock
	ManageBandwidth Action = "bandwidth.manage" // weekly tables of docks and stations
	ManageSending   Action = "sending.manage"   // urgent officers, categories

	ManageKeys Action = "keys.manage" // retire, escrow, restore, destroy: two people each
)

// Actor is a signed-in person.
type Actor struct {
	User    string // user id
	Agency  evidence.AgencyID
	Login   string
	Name    string
	Role    Role
	Origin  Origin
	Session evidence.Digest // hash of the session's token

	Factor    string    // what was shown last in the session, see Password and the others
	FactorAt  time.Time // when, as far as it counts for Fresh
	MustEnrol bool      // only the own account may be worked on, see Owner
}

// Origin is where a request came from.
type Origin struct {
	Address string // network address without port
	Browser string // as the browser calls itself; hostile text
}

// Custody returns how the person is named in custody events.
func (a *Actor) Custody() evidence.Actor {
	return evidence.Actor{Kind: "user", ID: a.User, Name: a.Name, Client: a.Origin.Browser}
}

// Object is what an action is done on.
type Object struct {
	Agency evidence.AgencyID
}

// May reports whether the person may do the action on the object. What no rule
// allows is denied, as is everything of another agency.
func May(a *Actor, do Action, on Object) bool {
	if a == nil || a.User == "" || on.Agency == "" || a.Agency != on.Agency {
		return false
	}
	switch do {
	case SeeOverview, ListItems, ViewItem, PlayItem, OpenReceipt, DownloadItem, ListDocks, ListFirmware, ListSettings,
		ListCameras, AssignCamera, HoldCamera, ListAlerts, AcknowledgeAlert, ChangeQueue:
		return a.Role == Operator || a.Role == Administrator
	case ManageAccount, ManageFirmware, EndCameraHold, DecideCameraKey, BeginCamera, SettleFinding, ManageBandwidth, ManageSending, ManageKeys:
		return a.Role == Administrator
	}
	return false
}
