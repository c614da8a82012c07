package auth

// Action is one thing that a person may or may not do.
type Action string

// The actions that exist. A new one is denied to everybody until a role has it.
const (
	SeeOverview  Action = "overview.see"
	ListItems    Action = "evidence.list"
	ViewItem     Action = "evidence.view"
	PlayItem     Action = "evidence.play"
	OpenReceipt  Action = "receipt.open"
	DownloadItem Action = "evidence.download" // and packages and clips of it
	ListCases    Action = "cases.list"
	ManageCases  Action = "cases.manage"  // open, change, close; put recordings in and take them out
	EditItem     Action = "evidence.edit" // title, note, category, tags: beside what was recorded
	ListDocks    Action = "docks.list"
	ManageDocks  Action = "docks.manage" // let docks enrol, disable and enable them

	ListAccounts  Action = "accounts.list"
	ManageAccount Action = "accounts.manage" // invite, disable, release; groups, roles, grants

	ListFirmware   Action = "firmware.list"
	ManageFirmware Action = "firmware.manage" // publish and withdraw
	ListSettings   Action = "settings.list"

	ManageAgency Action = "agency.manage" // its settings
	SeePosture   Action = "posture.see"

	ManageWebhooks Action = "webhooks.manage" // with ReadAudit: who outside is told of custody events

	ReadAudit   Action = "audit.read" // search and verify the custody log
	ExportAudit Action = "audit.export"

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

	FreezeEvidence   Action = "evidence.freeze"   // nothing of a scope is deleted
	UnfreezeEvidence Action = "evidence.unfreeze" // it may be again

	ManageKeys Action = "keys.manage" // retire, escrow, restore, destroy: two people each
)

// Deed is an action in words for people.
type Deed struct {
	Action Action
	Field  string // what it is about, as a heading
	Words  string
	Looks  bool // it only looks: view-only grants give it
}

// Deeds returns every action that exists, by field.
func Deeds() []Deed {
	return []Deed{
		{SeeOverview, "Evidence", "See the overview", true},
		{ListItems, "Evidence", "Find recordings in lists and by searching", true},
		{ViewItem, "Evidence", "Open a recording’s page, with its custody", true},
		{PlayItem, "Evidence", "Play recordings", true},
		{OpenReceipt, "Evidence", "Open receipts", true},
		{DownloadItem, "Evidence", "Take recordings away: download, custody package, clip", false},
		{EditItem, "Evidence", "Say something of recordings: title, note, tags, incident, place, another category", false},
		{FreezeEvidence, "Evidence", "Freeze: nothing of a recording, camera, officer or station is deleted", false},
		{UnfreezeEvidence, "Evidence", "End a freeze", false},

		{ListCases, "Cases", "See cases, and which recordings are in them", true},
		{ManageCases, "Cases", "Open, change and close cases; put recordings in and take them out", false},

		{ListDocks, "Docks and uplinks", "See docks and what waits at them", true},
		{ManageDocks, "Docks and uplinks", "Let docks enrol, disable and enable them", false},
		{ChangeQueue, "Docks and uplinks", "Say what goes first at a dock", false},
		{ManageBandwidth, "Docks and uplinks", "Set how fast docks may send, by the week", false},
		{ManageSending, "Docks and uplinks", "Set which officers and categories go first", false},

		{ListCameras, "Cameras", "See cameras, their history and completeness", true},
		{AssignCamera, "Cameras", "Assign cameras to officers", false},
		{HoldCamera, "Cameras", "Put a camera on hold", false},
		{EndCameraHold, "Cameras", "End a camera’s hold", false},
		{DecideCameraKey, "Cameras", "Approve and block cameras’ keys", false},
		{BeginCamera, "Cameras", "Say from which number on a camera counts", false},
		{SettleFinding, "Cameras", "Settle what is missing for good", false},
		{ListAlerts, "Cameras", "See alerts", true},
		{AcknowledgeAlert, "Cameras", "Acknowledge alerts", false},

		{ListFirmware, "Firmware and settings", "See firmware for cameras", true},
		{ManageFirmware, "Firmware and settings", "Publish and withdraw firmware", false},
		{ListSettings, "Firmware and settings", "See settings of cameras", true},

		{ListAccounts, "People", "See people, roles, groups and grants", true},
		{ManageAccount, "People", "Manage people, roles, groups and grants", false},

		{SeePosture, "Agency", "See how safe the settings and the server are", true},
		{ManageAgency, "Agency", "Decide the agency’s settings: passwords, sessions, networks", false},
		{ManageWebhooks, "Agency", "Decide which other systems are told of acts (webhooks); takes the right to search the record too", false},

		{ReadAudit, "Audit", "Search and verify the record of all acts", true},
		{ExportAudit, "Audit", "Take the record of acts away as a file", false},

		{ManageKeys, "Keys", "Work on keys, and destroy recordings, with a second person", false},
	}
}

// Words is an action in words, or its name where there is none of it any more.
func Words(do Action) string {
	if d, ok := known(string(do)); ok {
		return d.Words
	}
	return string(do)
}

// Looks reports whether an action only looks.
func Looks(do Action) bool {
	d, ok := known(string(do))
	return ok && d.Looks
}

// known returns an action in words, and whether there is one of that name.
func known(name string) (Deed, bool) {
	for _, d := range Deeds() {
		if string(d.Action) == name {
			return d, true
		}
	}
	return Deed{}, false
}
