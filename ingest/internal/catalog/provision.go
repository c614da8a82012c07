package catalog

import (
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// Provisioner is a program of the directory that may provision people. Only the hash
// of its token is kept.
type Provisioner struct {
	ID         string // made by the caller, unique for good
	Agency     evidence.AgencyID
	Name       string // unique among those that stand
	TokenHash  evidence.Digest
	Networks   []string // CIDR, from where it may come; none: from anywhere
	MadeAt     time.Time
	MadeBy     string // user id, or "local"
	ExpiresAt  time.Time
	EndedAt    time.Time // zero: it stands
	LastUsedAt time.Time
}

// ProvisionedPerson is what a provisioner says of a user.
type ProvisionedPerson struct {
	User        string // user id
	Provisioner string // name of who provisioned the user, and nobody else changes it
	Agency      evidence.AgencyID
	UserName    string // as the directory writes it; the user's login in the end
	ExternalID  string // the directory's own id of the person; "": it gave none
	DisplayName string
	Profile     string // JSON, the caller's: the rest
	Active      bool   // as the directory says
	MadeAt      time.Time
	ChangedAt   time.Time
	RemovedAt   time.Time // zero: the directory still has the person
	Version     int64     // counted up by each change
}

// ProvisionedGroup is a group of the directory, as a provisioner says it.
type ProvisionedGroup struct {
	ID          string // made by the caller, unique for good
	Provisioner string
	Agency      evidence.AgencyID
	Name        string // unique among those of the provisioner that are there, whatever their case
	ExternalID  string
	MadeAt      time.Time
	ChangedAt   time.Time
	RemovedAt   time.Time
	Version     int64
}

// ProvisionedFilter narrows a list of what a provisioner has provisioned; all that is
// given must fit, and nothing that was removed does.
type ProvisionedFilter struct {
	Agency      evidence.AgencyID
	Provisioner string
	ID          string
	UserName    string // of people; whatever its case
	ExternalID  string
	DisplayName string // of groups: their name; whatever its case
	Member      string // of groups: the id of somebody who is in it
}
