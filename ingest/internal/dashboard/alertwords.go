package dashboard

import (
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// severityStatus says how soon an alert wants a person.
func severityStatus(s catalog.Severity) status {
	switch s {
	case catalog.SeverityUrgent:
		return status{"bad", "stop", "Urgent"}
	case catalog.SeverityWarning:
		return status{"warn", "warn", "Look soon"}
	case catalog.SeverityNotice:
		return status{"", "info", "Worth knowing"}
	}
	return status{"", "info", string(s)}
}

// alertText names what an alert is about, and says what to do. A code that is
// not known is shown as it came, with no advice.
func alertText(code catalog.AlertCode) (title, todo string) {
	if title, todo := serverAlertText(code); title != "" {
		return title, todo
	}
	return findingAlertText(evidence.FindingCode(code))
}

// serverAlertText is alertText of what the server finds by itself.
func serverAlertText(code catalog.AlertCode) (title, todo string) {
	switch code {
	case catalog.AlertVanished:
		return "Recordings vanished from a camera", "Open the camera’s page: it names them and says between which dockings they went. Hold the camera and ask who had it."
	case catalog.AlertGap:
		return "A camera counted recordings that nobody saw", "Open the camera’s page: it names the numbers. Hold the camera, ask who had it, and have its storage examined."
	case catalog.AlertCountedBack:
		return "A camera’s count went backwards", "Find out whether the camera was reset or repaired. If not, it may be another camera with this serial number: hold it and compare it with your inventory."
	case catalog.AlertNumberReused:
		return "Two recordings with one number", "Find out whether the camera was reset or repaired. If not, hold it and compare it with your inventory."
	case catalog.AlertShrank:
		return "A recording is shorter than it was", "Open the camera’s page: it names the recording. Hold the camera and have its storage examined."
	case catalog.AlertErasedBare:
		return "Erased without a receipt", "Keep camera and dock as they are. Hold the camera and have the dock examined: its program may have been changed."
	case catalog.AlertKeyMissing:
		return "A camera came without its key", "Compare the camera with your inventory: it may be another one with this serial number, or one that was tampered with. Hold it until that is clear."
	case catalog.AlertBlocked:
		return "A blocked camera was docked", "Take the camera from the bay named here and find out who brought it."
	case catalog.AlertDockingReused:
		return "A dock tells of another’s docking", "Find out whether the dock’s disk was copied or restored. Enrol the dock anew."
	case catalog.AlertSpoolFilling:
		return "A dock’s spool is filling up", "Open the dock under Uplinks: it says why it sends slowly. Give its station more bandwidth, or mend its line. When the spool is full, footage stays on the cameras; it is never dropped."
	case catalog.AlertStoreFull:
		return "The evidence store is full", "Add storage to this server now. Docks keep what they have and try again by themselves; the alert ends when there is room."
	case catalog.AlertDamaged:
		return "Stored evidence is damaged", "Examine the storage at once: where one bit has changed, others will. Dock the camera again if it still holds the recording, or put it back with sealdock-ingest heal --from a backup."
	case catalog.AlertHealed:
		return "Damaged evidence was healed", "Nothing is lost. Examine the disk that is named here and replace it: where one bit has changed, others will."
	case catalog.AlertMirror:
		return "The mirror is not what it should be", "Mount its disk, make room on it, or repair it: the message says which. Until then what comes in exists once. Copies that are missing are made when it is back."
	case catalog.AlertUnproven:
		return "Stored evidence could not be proven", "Look at the storage, and run fsck. If the blob is gone, put it back with sealdock-ingest heal --from a backup; do not erase the camera if it still holds the recording."
	case catalog.AlertOrphans:
		return "The store holds what no item names", "The catalog may be an older one that was restored, or rows were taken from it: compare it with your backups, and run fsck, which names each blob."
	case catalog.AlertLogSetBack:
		return "This server was set back", "A dock has what this server signed and has forgotten: its disk or its virtual machine was set back. Stop it and restore its newest state; the guide on backup says how. Until then nothing is signed, and docks erase nothing."
	case catalog.AlertLogLost:
		return "Footage may be lost in a restore", "What came in after the backup is not here. Dock every camera of this dock’s station again: what they still have is taken in anew. Completeness names what is missing then."
	case catalog.AlertUnwitnessed:
		return "A witness does not cosign the custody log", "Find out whether this server reaches the witness named here, and ask who runs it. Nothing else waits for it."
	case catalog.AlertWebhook:
		return "A webhook was disabled", "Its receiver took nothing for three days, or said that it is gone. Find out why from whoever runs it, and enable the webhook again under Webhooks: it goes on where it stood, and nothing is lost."
	case catalog.AlertContradicted:
		return "A witness has seen another custody log", "This server was set back to an older state, or somebody else signs with its key: stop it, and compare catalog and log with your backups. It does not start again until the witness agrees or is taken out of the configuration."
	case catalog.AlertCertificate:
		return "The certificate for browsers needs care", "Do what the message says; docks go on whatever becomes of it. A file is looked at again by itself, and at once after systemctl reload."
	case catalog.AlertUnstamped:
		return "The custody log gets no time stamps", "Find out whether this server reaches the time-stamp authority of its configuration, and whether the authority’s certificate has changed. Nothing else waits for it."
	}
	return "", ""
}

// findingAlertText is alertText of what docks find.
func findingAlertText(code evidence.FindingCode) (title, todo string) {
	switch code {
	case evidence.FoundTwin:
		return "Two cameras with one serial number", "Take both cameras aside and compare them with your inventory: one of them is not what it says. Hold this serial number until that is clear."
	case evidence.FoundNoSerial:
		return "A camera tells no serial number", "Label the camera and note which officer has it. What it holds is taken in under its bay."
	case evidence.FoundForeign:
		return "A camera of another agency", "Give it back to its agency, and tell them what was taken in here. Nothing was erased from it."
	case evidence.FoundKeyChanged:
		return "A camera came with another key", "Find out whether it was repaired or replaced. Then approve the new key on the camera’s page and block the former one, or block the new one."
	case evidence.FoundKeyFailed:
		return "A camera could not prove its key", "Dock it again. If this stays, the camera is broken or not what it says: hold it and compare it with your inventory."
	case evidence.FoundKeyUnknown:
		return "A new camera waits for approval", "Compare serial number and key with the camera or its papers, then approve or block the key on the camera’s page."
	case evidence.FoundListingFailed:
		return "A camera’s list does not hold", "Hold the camera: what it shows is not what it has signed. Dock it again, and have it examined if this stays."
	case evidence.FoundIncomplete:
		return "Something could not be taken in", "Do not erase anything by hand. Dock the camera in another bay; if this stays, read the storage with its maker’s tools."
	case evidence.FoundClockWrong:
		return "A camera’s clock was wrong", "Nothing is lost: recordings show the corrected time beside the camera’s. If it happens at each docking, have the camera’s battery checked."
	case evidence.FoundHashDiffers:
		return "Footage is not what its hash says", "Hold the camera and have its storage examined. What was read is kept, and the camera keeps its copy."
	case evidence.FoundOddDescriptors:
		return "A device that is more than a camera", "Take it from the bay now and have it examined: it shows a keyboard or another interface that no camera needs."
	case evidence.FoundFirmware:
		return "New firmware was not taken", "See what the message says. The camera works on with the firmware that it had."
	case evidence.FoundStaleJournal:
		return "A dock has forgotten what it knew", "Find out whether the dock’s disk was restored or replaced. Until then nothing is erased by it; enrol it anew if the disk is not the one it had."
	}
	return string(code), ""
}

// objectOf splits what an event or alert is about, for people, and says where
// its page is; "" for none.
func objectOf(object string) (kind, name, link string) {
	kind, name, _ = strings.Cut(object, ":")
	switch kind {
	case "camera":
		return "Camera", name, cameraLink(name)
	case "dock":
		return "Dock", name, dockLink(name)
	case "station":
		return "Station", name, stationLink(name)
	case "server":
		return "Server", name, ""
	case "item":
		if id, err := evidence.ParseEvidenceID(name); err == nil {
			return "Item", shortID(id), "/evidence/" + id.String()
		}
		return "Item", name, ""
	}
	return "About", object, ""
}
