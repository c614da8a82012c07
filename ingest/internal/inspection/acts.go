package inspection

import "github.com/sealdock/sealdock/proto/evidence"

// Group is a kind of acts that people look for together.
type Group string

// The groups. An act is in one of them.
const (
	Viewing        Group = "viewing"        // people looked at evidence or took it out
	Custody        Group = "custody"        // recordings came in, were proven, erased from cameras
	Cameras        Group = "cameras"        // what people decide about cameras
	Administration Group = "administration" // what changes who may do what, and how the product works; by people
	SignIns        Group = "sign-ins"       // who came and left
	Alerts         Group = "alerts"
	Running        Group = "running" // what the server does by itself
)

// Groups are all groups, in the order of a list.
func Groups() []Group {
	return []Group{Viewing, Administration, SignIns, Custody, Cameras, Alerts, Running}
}

// act is how an event is told: % stands for what it was done to.
type act struct {
	kind  evidence.EventType
	group Group
	did   string // as in "Alba Moreno … "
	to    string // as in "Alba Moreno tried to … "
}

// acts has every type of event, in the order of a list.
var acts = [...]act{
	{evidence.EventEvidenceViewed, Viewing, "looked at %", "look at %"},
	{evidence.EventEvidencePlayed, Viewing, "played %", "play %"},
	{evidence.EventDownloaded, Viewing, "downloaded the original of %", "download the original of %"},
	{evidence.EventPackaged, Viewing, "made a custody package of %", "make a custody package of %"},
	{evidence.EventReceiptOpened, Viewing, "opened the receipt of %", "open the receipt of %"},
	{evidence.EventDerived, Viewing, "made a clip of %", "make a clip of %"},
	{evidence.EventAuditRead, Viewing, "searched %", "search %"},
	{evidence.EventAuditExported, Viewing, "exported a part of %", "export a part of %"},

	{evidence.EventUserCreated, Administration, "made the account of %", "make the account of %"},
	{evidence.EventUserInvited, Administration, "invited %", "invite %"},
	{evidence.EventUserChanged, Administration, "changed the role or badge of %", "change the role or badge of %"},
	{evidence.EventUserDisabled, Administration, "disabled the account of %", "disable the account of %"},
	{evidence.EventUserSessionsEnded, Administration, "ended all sessions of %", "end all sessions of %"},
	{evidence.EventUserEnabled, Administration, "enabled the account of %", "enable the account of %"},
	{evidence.EventRoleChanged, Administration, "changed the role %", "change the role %"},
	{evidence.EventGroupChanged, Administration, "changed the group %", "change the group %"},
	{evidence.EventGrantMade, Administration, "made a grant for %", "make a grant for %"},
	{evidence.EventGrantEnded, Administration, "ended a grant of %", "end a grant of %"},
	{evidence.EventCaseOpened, Administration, "opened %", "open %"},
	{evidence.EventCaseChanged, Administration, "changed %", "change %"},
	{evidence.EventCaseClosed, Administration, "closed %", "close %"},
	{evidence.EventCaseReopened, Administration, "reopened %", "reopen %"},
	{evidence.EventActRequested, Administration, "asked for a second person about %", "ask for a second person about %"},
	{evidence.EventActApproved, Administration, "approved, as the second person, an act on %", "approve an act on %"},
	{evidence.EventActRefused, Administration, "refused, as the second person, an act on %", "refuse an act on %"},
	{evidence.EventActWithdrawn, Administration, "withdrew what they had asked a second person for about %", "withdraw a request about %"},
	{evidence.EventSettingChanged, Administration, "changed a setting of the agency", "change a setting of the agency"},
	{evidence.EventGatewaySecret, Administration, "gave the gateway for codes a secret", "give the gateway for codes a secret"},
	{evidence.EventFactorRuleSet, Administration, "set who needs a second factor", "set who needs a second factor"},
	{evidence.EventDirectoryChanged, Administration, "brought the account of % up to date", "bring the account of % up to date"},
	{evidence.EventDirectoryCutOff, Administration, "cut off %, who is gone from the directory", "cut off %"},
	{evidence.EventDirectoryGroup, Administration, "changed a group of the directory", "change a group of the directory"},
	{evidence.EventProvisionerMade, Administration, "let a program of the directory provision people", "let a program of the directory provision people"},
	{evidence.EventProvisionerEnded, Administration, "ended the provisioning of people by a program", "end the provisioning of people by a program"},
	{evidence.EventProvisionRefused, Administration, "provisioned people", "provision people"},
	{evidence.EventAccountReleased, Administration, "released the account of %", "release the account of %"},
	{evidence.EventSetupForced, Administration, "made a new set-up link", "make a new set-up link"},
	{evidence.EventDockTokenMade, Administration, "allowed the enrolment of %", "allow the enrolment of %"},
	{evidence.EventDockTokenEnded, Administration, "withdrew an enrolment token of %", "withdraw an enrolment token of %"},
	{evidence.EventDockRemoved, Administration, "removed %, which was never used", "remove %"},
	{evidence.EventDockDisabled, Administration, "shut out %", "shut out %"},
	{evidence.EventDockEnabled, Administration, "let in again %", "let in again %"},
	{evidence.EventCameraApproved, Administration, "approved the key of %", "approve the key of %"},
	{evidence.EventCameraBlocked, Administration, "blocked the key of %", "block the key of %"},
	{evidence.EventCameraHoldEnded, Administration, "ended the hold on %", "end the hold on %"},
	{evidence.EventCameraBegun, Administration, "set where the count of % begins", "set where the count of % begins"},
	{evidence.EventCameraSettled, Administration, "settled what is missing of %", "settle what is missing of %"},
	{evidence.EventCameraTrustIssued, Administration, "signed whom cameras trust", "sign whom cameras trust"},
	{evidence.EventSettingsPublished, Administration, "published camera settings", "publish camera settings"},
	{evidence.EventKeepDaysSet, Administration, "set how long cameras keep what is stored", "set how long cameras keep what is stored"},
	{evidence.EventMakerTrusted, Administration, "trusted a maker of firmware", "trust a maker of firmware"},
	{evidence.EventFirmwarePublished, Administration, "published firmware for cameras", "publish firmware for cameras"},
	{evidence.EventFirmwareWithdrawn, Administration, "withdrew firmware for cameras", "withdraw firmware for cameras"},
	{evidence.EventBandwidthSet, Administration, "set the bandwidth of %", "set the bandwidth of %"},
	{evidence.EventSendingSet, Administration, "set what is sent first", "set what is sent first"},
	{evidence.EventWebhookMade, Administration, "made a webhook", "make a webhook"},
	{evidence.EventWebhookChanged, Administration, "changed a webhook", "change a webhook"},
	{evidence.EventWebhookRotated, Administration, "gave a webhook a new secret", "give a webhook a new secret"},
	{evidence.EventWebhookTested, Administration, "sent a test to a webhook", "send a test to a webhook"},
	{evidence.EventWebhookDisabled, Administration, "disabled a webhook", "disable a webhook"},
	{evidence.EventWebhookEnabled, Administration, "enabled a webhook", "enable a webhook"},
	{evidence.EventWebhookDeleted, Administration, "deleted a webhook", "delete a webhook"},
	{evidence.EventFrozen, Administration, "forbade all deletion, %", "forbid all deletion, %"},
	{evidence.EventFreezeEnded, Administration, "ended what forbade deletion, %", "end what forbade deletion, %"},
	{evidence.EventDestructionWanted, Administration, "asked for the destruction of %", "ask for the destruction of %"},
	{evidence.EventItemDestroyed, Administration, "approved the destruction of %", "approve the destruction of %"},
	{evidence.EventRootProtected, Administration, "changed how the root key is protected", "change how the root key is protected"},
	{evidence.EventKeyGenerated, Administration, "made a new key of the agency", "make a new key of the agency"},
	{evidence.EventKeysRewrapped, Administration, "wrapped recordings’ keys anew", "wrap recordings’ keys anew"},
	{evidence.EventKeyRetired, Administration, "destroyed a key of the agency", "destroy a key of the agency"},
	{evidence.EventEscrowMade, Administration, "made an escrow of all keys", "make an escrow of all keys"},
	{evidence.EventKeysRestored, Administration, "restored the keys from an escrow", "restore the keys from an escrow"},
	{evidence.EventCatalogSealed, Administration, "encrypted the catalog, which lay in clear on the disk", "encrypt the catalog"},
	{evidence.EventKeyDrill, Administration, "tried whether an escrow opens", "try whether an escrow opens"},
	{evidence.EventBackupMade, Administration, "made a backup", "make a backup"},
	{evidence.EventLogRestored, Administration, "restored the custody log from a backup", "restore the custody log from a backup"},

	{evidence.EventSignedIn, SignIns, "signed in", "sign in"},
	{evidence.EventSignInFailed, SignIns, "failed to sign in", "sign in"},
	{evidence.EventSignedOut, SignIns, "signed out", "sign out"},
	{evidence.EventUserJoined, SignIns, "took the account of %", "take the account of %"},
	{evidence.EventNewPlace, SignIns, "came from a place that is new", "come from a place that is new"},
	{evidence.EventPlaceRefused, SignIns, "came from a network that is not allowed", "come from a network that is not allowed"},
	{evidence.EventConfirmed, SignIns, "showed once more who they are", "show once more who they are"},
	{evidence.EventSessionsEnded, SignIns, "ended other sessions of theirs", "end other sessions of theirs"},
	{evidence.EventPasswordChanged, SignIns, "changed the password of %", "change the password of %"},
	{evidence.EventFactorAdded, SignIns, "added a second factor to %", "add a second factor to %"},
	{evidence.EventFactorRemoved, SignIns, "took a second factor from %", "take a second factor from %"},
	{evidence.EventRecoveryMade, SignIns, "made new recovery codes", "make new recovery codes"},
	{evidence.EventRecoveryUsed, SignIns, "used a recovery code", "use a recovery code"},
	{evidence.EventPhoneCodeSent, SignIns, "had a code sent to the phone of %", "have a code sent to the phone of %"},
	{evidence.EventPhoneCodeFailed, SignIns, "could not send a code to the phone of %", "send a code to the phone of %"},
	{evidence.EventPhoneCodeUsed, SignIns, "used a code that was sent to a phone", "use a code that was sent to a phone"},
	{evidence.EventPasskeyDoubted, SignIns, "showed a passkey that may have a copy", "show a passkey that may have a copy"},
	{evidence.EventDirectoryUnproven, SignIns, "signed % out, whom the directory did not confirm", "sign % out"},
	{evidence.EventTokenMade, SignIns, "made a token for the API", "make a token for the API"},
	{evidence.EventTokenRevoked, SignIns, "revoked a token for the API", "revoke a token for the API"},
	{evidence.EventTokenRefused, SignIns, "used a token for the API", "use a token for the API"},
	{evidence.EventAccountLocked, SignIns, "locked an account after failed sign-ins", "lock an account"},

	{evidence.EventCaseItemAdded, Custody, "put into a case %", "put into a case %"},
	{evidence.EventCaseItemRemoved, Custody, "took out of a case %", "take out of a case %"},

	{evidence.EventInventoryTaken, Custody, "listed what is on %", "list what is on %"},
	{evidence.EventManifestReceived, Custody, "announced %", "announce %"},
	{evidence.EventTransferRefused, Custody, "was refused the transfer of %", "transfer %"},
	{evidence.EventDerivativeSigned, Custody, "signed the recipe of %", "sign the recipe of %"},
	{evidence.EventEvidenceStored, Custody, "stored and proved %", "store %"},
	{evidence.EventQuarantined, Custody, "set aside in quarantine %", "set aside %"},
	{evidence.EventHealed, Custody, "healed %", "heal %"},
	{evidence.EventCameraErased, Custody, "erased from its camera %", "erase from its camera %"},
	{evidence.EventCameraEraseFailed, Custody, "could not erase from its camera %", "erase from its camera %"},
	{evidence.EventDriveTaken, Custody, "took in what came on a drive, %", "take in what came on a drive, %"},
	{evidence.EventDriveRefused, Custody, "took in nothing of a drive, %", "take in what came on a drive, %"},
	{evidence.EventAnnotated, Custody, "changed what is said of %", "change what is said of %"},
	{evidence.EventQueueOrdered, Custody, "let recordings go first at %", "let recordings go first at %"},
	{evidence.EventQueueUrgent, Custody, "changed what is urgent at %", "change what is urgent at %"},
	{evidence.EventDockEnrolled, Custody, "enrolled %", "enrol %"},
	{evidence.EventDockConnected, Custody, "connected", "connect"},
	{evidence.EventDockRefused, Custody, "was not let in", "connect"},

	{evidence.EventCameraHeld, Cameras, "held %", "hold %"},
	{evidence.EventCameraAssigned, Cameras, "assigned %", "assign %"},
	{evidence.EventCameraUnassigned, Cameras, "ended the assignment of %", "end the assignment of %"},

	{evidence.EventAlertRaised, Alerts, "raised an alert about %", "raise an alert about %"},
	{evidence.EventAlertAcknowledged, Alerts, "acknowledged an alert about %", "acknowledge an alert about %"},
	{evidence.EventAlertCleared, Alerts, "saw the end of an alert about %", "see the end of an alert about %"},

	{evidence.EventServerStarted, Running, "started", "start"},
	{evidence.EventCertificateTaken, Running, "took another certificate for browsers", "take another certificate for browsers"},
	{evidence.EventScrubbed, Running, "re-read all that is stored", "re-read all that is stored"},
	{evidence.EventMirrored, Running, "copied to the mirror", "copy to the mirror"},
	{evidence.EventLogStamped, Running, "had the custody log dated by an outside authority", "have the custody log dated by an outside authority"},
}

// Act is a type of event that a search can be for.
type Act struct {
	Type  evidence.EventType
	Group Group
	Words string // what it is, as in a list: "look at a recording"
}

// Acts are all types of events, group by group.
func Acts() []Act {
	var all []Act
	for _, group := range Groups() {
		for i := range acts {
			if acts[i].group == group {
				all = append(all, Act{acts[i].kind, group, plain(acts[i].did)})
			}
		}
	}
	return all
}

// typesOf are the types of a group, nil when there is no such group.
func typesOf(g Group) []evidence.EventType {
	var all []evidence.EventType
	for i := range acts {
		if acts[i].group == g {
			all = append(all, acts[i].kind)
		}
	}
	return all
}
