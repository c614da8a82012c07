package catalog

import "time"

// DirectoryPerson links a user to somebody of the agency's directory.
type DirectoryPerson struct {
	User      string // user id
	Source    string // which directory: "ldap", or "oidc:" and the issuer
	Subject   string // the directory's own id of the person; unique in Source
	Refresh   string // with which a provider is asked again, sealed by the caller; "": it cannot be
	CheckedAt time.Time
	CutOffAt  time.Time // when the user was disabled because the directory said so; zero: they are not
}
