package evidence

import (
	"encoding/json"
	"fmt"
	"time"
)

// EventType names what was done.
type EventType string

// The custody events that exist.
const (
	EventInventoryTaken    EventType = "inventory.taken"
	EventManifestReceived  EventType = "manifest.received"
	EventTransferRefused   EventType = "transfer.refused"
	EventDerivativeSigned  EventType = "derivative.signed" // the recipe of a derivative became durable, before its bytes
	EventDerived           EventType = "evidence.derived"  // a derivative was made of an original, which stayed as it was
	EventEvidenceStored    EventType = "evidence.stored"
	EventQuarantined       EventType = "evidence.quarantined"
	EventHealed            EventType = "evidence.healed" // damaged bytes were replaced by good ones of another store
	EventMirrored          EventType = "store.mirrored"  // copies were made in the mirror, and read again
	EventScrubbed          EventType = "store.scrubbed"  // all that is stored was re-read and found right, or not
	EventCameraErased      EventType = "camera.erased"
	EventCameraEraseFailed EventType = "camera.erase_failed"
	EventCameraApproved    EventType = "camera.key_approved"
	EventCameraBlocked     EventType = "camera.key_blocked"
	EventCameraHeld        EventType = "camera.held"
	EventCameraHoldEnded   EventType = "camera.hold_ended"
	EventCameraAssigned    EventType = "camera.assigned"
	EventCameraUnassigned  EventType = "camera.unassigned"
	EventCameraBegun       EventType = "camera.begun"   // from which number on its count is looked at
	EventCameraSettled     EventType = "camera.settled" // an entry of its completeness that cannot be mended
	EventAlertRaised       EventType = "alert.raised"
	EventAlertAcknowledged EventType = "alert.acknowledged"
	EventAlertCleared      EventType = "alert.cleared"
	EventEvidenceViewed    EventType = "evidence.viewed"
	EventEvidencePlayed    EventType = "evidence.played"
	EventDownloaded        EventType = "evidence.downloaded"
	EventPackaged          EventType = "evidence.packaged" // a custody package was made of it
	EventReceiptOpened     EventType = "receipt.opened"
	EventDockTokenMade     EventType = "dock.token_made"
	EventDockEnrolled      EventType = "dock.enrolled"
	EventDockConnected     EventType = "dock.connected"
	EventDockRefused       EventType = "dock.refused"
	EventDockDisabled      EventType = "dock.disabled"
	EventDockEnabled       EventType = "dock.enabled"
	EventDockTokenEnded    EventType = "dock.token_withdrawn"
	EventDockRemoved       EventType = "dock.removed"
	EventAnnotated         EventType = "evidence.annotated"
	EventUserCreated       EventType = "user.created"
	EventUserInvited       EventType = "user.invited"
	EventUserJoined        EventType = "user.joined" // an invited person chose a password
	EventUserChanged       EventType = "user.changed"
	EventUserDisabled      EventType = "user.disabled"
	EventUserEnabled       EventType = "user.enabled"
	EventUserSessionsEnded EventType = "user.sessions_ended" // of a person, by somebody else
	EventRoleChanged       EventType = "role.changed"        // made, edited, or removed
	EventGroupChanged      EventType = "group.changed"
	EventGrantMade         EventType = "grant.made"
	EventGrantEnded        EventType = "grant.ended"
	EventSignedIn          EventType = "session.signed_in"
	EventSignInFailed      EventType = "session.sign_in_failed"
	EventSignedOut         EventType = "session.signed_out"
	EventAccountLocked     EventType = "account.locked"
	EventPasswordChanged   EventType = "account.password_changed"
	EventAccountReleased   EventType = "account.released"
	EventSetupForced       EventType = "account.setup_forced"
	EventNewPlace          EventType = "session.new_place"           // somebody signs in with a device or from a network that is new for them
	EventConfirmed         EventType = "session.confirmed"           // somebody who is signed in showed again that it is them
	EventSessionsEnded     EventType = "session.ended"               // somebody ended other sessions of theirs
	EventFactorAdded       EventType = "account.factor_added"        // a passkey, or an authenticator app
	EventFactorRemoved     EventType = "account.factor_removed"      // and one was taken away
	EventRecoveryMade      EventType = "account.recovery_codes_made" // in place of all former ones
	EventRecoveryUsed      EventType = "account.recovery_code_used"  // once, in place of a factor
	EventPhoneCodeSent     EventType = "account.phone_code_sent"     // a code is handed to the agency's gateway for SMS and calls
	EventPhoneCodeFailed   EventType = "account.phone_code_failed"   // the gateway did not take it
	EventPhoneCodeUsed     EventType = "account.phone_code_used"     // once, as a factor
	EventGatewaySecret     EventType = "settings.gateway_secret"     // the gateway's secret was made or replaced
	EventFactorRuleSet     EventType = "settings.factor_rule"        // of whom a second factor is required, and when it is asked for
	EventPasskeyDoubted    EventType = "account.passkey_doubted"     // its count went back: there may be a copy
	EventDirectoryChanged  EventType = "directory.changed"           // name, role or standing of a person follows the directory
	EventDirectoryCutOff   EventType = "directory.cut_off"           // somebody is gone from the directory, and so from here
	EventProvisionerMade   EventType = "directory.provisioner_made"  // a program of the directory may provision people
	EventProvisionerEnded  EventType = "directory.provisioner_ended" // it may no longer
	EventProvisionRefused  EventType = "directory.provision_refused" // it wanted what it may not, or came without a good token
	EventDirectoryGroup    EventType = "directory.group_changed"     // it made, changed or removed a group
	EventDirectoryUnproven EventType = "directory.unproven"          // it could not be asked about somebody for too long: they were signed out
	EventTokenMade         EventType = "token.made"                  // a token for the API, by its person
	EventTokenRevoked      EventType = "token.revoked"               // and taken away
	EventTokenRefused      EventType = "token.refused"               // it was not taken, or was to do what no token does
	EventServerStarted     EventType = "server.started"
	EventCertificateTaken  EventType = "server.certificate"    // browsers get another certificate than before
	EventSettingChanged    EventType = "setting.changed"       // what the agency has decided about access
	EventPlaceRefused      EventType = "session.place_refused" // from a network that is not allowed
	EventCameraTrustIssued EventType = "camera.trust_issued"
	EventSettingsPublished EventType = "settings.published"
	EventKeepDaysSet       EventType = "settings.keep_days"
	EventMakerTrusted      EventType = "firmware.maker_trusted"
	EventFirmwarePublished EventType = "firmware.published"
	EventFirmwareWithdrawn EventType = "firmware.withdrawn"
	EventDriveTaken        EventType = "drive.taken"          // what a dock had written to a drive was taken in
	EventDriveRefused      EventType = "drive.refused"        // and nothing of it was
	EventBandwidthSet      EventType = "uplink.bandwidth_set" // weekly table of a dock or station
	EventSendingSet        EventType = "uplink.sending_set"   // urgent officers, weights of categories
	EventQueueOrdered      EventType = "queue.ordered"        // what people let go first at a dock
	EventFrozen            EventType = "freeze.begun"         // nothing in a scope may be deleted
	EventFreezeEnded       EventType = "freeze.ended"
	EventLogStamped        EventType = "log.stamped"         // an authority signed that the custody log had come so far
	EventBackupMade        EventType = "backup.made"         // a copy of the data folder, from which it can be restored
	EventLogRestored       EventType = "log.restored"        // the custody log goes on from a backup, under another name
	EventRootProtected     EventType = "keys.root_protected" // the root key's passphrase was set, changed or taken away
	EventKeyGenerated      EventType = "keys.generated"      // an agency got a new key pair
	EventKeysRewrapped     EventType = "keys.rewrapped"      // recordings' keys were wrapped to another key of the agency
	EventKeyRetired        EventType = "keys.retired"        // a key pair of an agency was destroyed
	EventEscrowMade        EventType = "keys.escrow_made"    // all keys left, under the passphrases of two people
	EventCatalogSealed     EventType = "catalog.sealed"      // a catalog that was in clear on the disk was encrypted
	EventKeysRestored      EventType = "keys.restored"       // the key folder was made anew of an escrow
	EventKeyDrill          EventType = "keys.drill"          // an escrow was opened to see that it opens
	EventDestructionWanted EventType = "evidence.destruction_requested"
	EventItemDestroyed     EventType = "evidence.destroyed" // its key was destroyed: approved by a second person
	EventQueueUrgent       EventType = "queue.urgent"       // a recording made urgent by people, or no longer
	EventAuditRead         EventType = "audit.read"         // the custody log was searched by a person
	EventAuditExported     EventType = "audit.exported"     // what a search of it found was handed out
	EventWebhookMade       EventType = "webhook.made"       // somebody outside is told of custody events
	EventWebhookChanged    EventType = "webhook.changed"    // its name, address or types
	EventWebhookRotated    EventType = "webhook.rotated"    // it got a new secret
	EventWebhookTested     EventType = "webhook.tested"     // a test message was sent
	EventWebhookDisabled   EventType = "webhook.disabled"   // nothing is sent any more, by a person or the server
	EventWebhookEnabled    EventType = "webhook.enabled"    // sent again
	EventWebhookDeleted    EventType = "webhook.deleted"
	EventCaseOpened        EventType = "case.opened"
	EventCaseChanged       EventType = "case.changed" // its number, title, note or who leads it
	EventCaseClosed        EventType = "case.closed"
	EventCaseReopened      EventType = "case.reopened"
	EventCaseItemAdded     EventType = "case.item_added" // an item was put into a case; the event is the item's
	EventCaseItemRemoved   EventType = "case.item_removed"
	EventActRequested      EventType = "act.requested" // it waits for a second person
	EventActApproved       EventType = "act.approved"  // by a second person; the act's own event follows
	EventActRefused        EventType = "act.refused"   // by a second person
	EventActWithdrawn      EventType = "act.withdrawn" // by who asked
)

// Outcome says how an act ended. Refused and failed acts are events too.
type Outcome string

// The outcomes of an act.
const (
	OutcomeDone    Outcome = "done"
	OutcomeRefused Outcome = "refused"
	OutcomeFailed  Outcome = "failed"
)

// Actor is who acted.
type Actor struct {
	Kind   string `json:"kind"` // "dock", "user", "server" or "provisioner"
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Client string `json:"client,omitempty"` // with which program: a browser as it calls itself, a dock's agent and its version
}

// Event is one entry of the custody record: who did what, when, to which
// object, from where, and how it ended. Its JSON, salted and hashed, is the
// leaf of the custody log.
type Event struct {
	Version int               `json:"version"` // 1
	Agency  AgencyID          `json:"agency"`
	Type    EventType         `json:"type"`
	At      time.Time         `json:"at"` // UTC, the server's clock, microseconds
	Actor   Actor             `json:"actor"`
	Source  string            `json:"source,omitempty"` // network address, "local", or which drive it came on
	Object  string            `json:"object,omitempty"` // kind:id, for example "item:0123…" or "dock:front-desk"
	Outcome Outcome           `json:"outcome"`
	Reason  string            `json:"reason,omitempty"`
	Details map[string]string `json:"details,omitempty"` // facts by name: sha256, length, path, camera, …
}

// MaxEvent bounds an event's JSON in bytes.
const MaxEvent = 60 << 10

// ItemObject is the Object of an event about an item.
func ItemObject(id EvidenceID) string { return "item:" + id.String() }

// DockObject is the Object of an event about a dock.
func DockObject(id DockID) string { return "dock:" + string(id) }

// StationObject is the Object of an event about a station.
func StationObject(id StationID) string { return "station:" + string(id) }

// FreezeObject is the Object of an event about a freeze.
func FreezeObject(id string) string { return "freeze:" + id }

// CameraObject is the Object of an event about a camera.
func CameraObject(serial string) string { return "camera:" + serial }

// UserObject is the Object of an event about a person.
func UserObject(id string) string { return "user:" + id }

// RoleObject is the Object of an event about a role.
func RoleObject(id string) string { return "role:" + id }

// DirectoryGroupObject is the Object of an event about a group that was provisioned.
func DirectoryGroupObject(id string) string { return "directory-group:" + id }

// ProvisionerObject is the Object of an event about a program that provisions people.
func ProvisionerObject(id string) string { return "provisioner:" + id }

// GroupObject is the Object of an event about a group of people.
func GroupObject(id string) string { return "group:" + id }

// GrantObject is the Object of an event about a grant.
func GrantObject(id string) string { return "grant:" + id }

// CaseObject is the Object of an event about a case.
func CaseObject(id string) string { return "case:" + id }

// LogObject is the Object of an event about the custody log.
func LogObject(origin string) string { return "log:" + origin }

// WebhookObject is the Object of an event about a webhook.
func WebhookObject(id string) string { return "webhook:" + id }

// KeyObject is the Object of an event about a key.
func KeyObject(id string) string { return "key:" + id }

// Check implements Statement.
func (e *Event) Check() error {
	if e.Version != 1 {
		return fmt.Errorf("event version %d: this program reads version 1; update the older side", e.Version)
	}
	switch {
	case e.Type == "" || e.At.IsZero() || e.Actor.Kind == "":
		return fmt.Errorf("event: type, time or actor is missing")
	case e.Outcome != OutcomeDone && e.Outcome != OutcomeRefused && e.Outcome != OutcomeFailed:
		return fmt.Errorf("event: outcome %q is unknown", clip(string(e.Outcome)))
	}
	return CheckName("agency", string(e.Agency))
}

// Encode returns the JSON that is stored and hashed.
func (e *Event) Encode() ([]byte, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(e)
	if err == nil && len(b) > MaxEvent {
		return nil, fmt.Errorf("event %s: %d bytes, at most %d are kept", e.Type, len(b), MaxEvent)
	}
	return b, err
}
