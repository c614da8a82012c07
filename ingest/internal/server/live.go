package server

import (
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/receive"
)

// liveView shows receive.Live to the read side, which never imports receive.
type liveView struct{ live *receive.Live }

// Changed implements reading.LiveSource.
func (v liveView) Changed() <-chan struct{} { return v.live.Changed() }

// Snapshot implements reading.LiveSource.
func (v liveView) Snapshot() reading.Live {
	var view reading.Live
	for _, d := range v.live.Docks() {
		dock := reading.LiveDock{
			Agency: string(d.Agency), Station: string(d.Station), Dock: string(d.Dock), Connected: d.Connected,
			LastSeen: d.LastSeen, Address: d.Address, AgentVersion: d.AgentVersion,
			SpoolBytes: d.Status.GetSpoolBytes(), SpoolQuota: d.Status.GetSpoolQuota(), RecordingsWaiting: d.Status.GetRecordingsWaiting(),
		}
		for _, b := range d.Status.GetBays() {
			dock.Bays = append(dock.Bays, reading.Bay{
				Port: b.GetPort(), CameraSerial: b.GetCameraSerial(), CameraModel: b.GetCameraModel(), State: b.GetState(), Message: b.GetMessage(),
				RecordingsTotal: b.GetRecordingsTotal(), RecordingsDone: b.GetRecordingsDone(), BytesTotal: b.GetBytesTotal(), BytesDone: b.GetBytesDone(),
				BytesPerSecond: b.GetBytesPerSecond(), Battery: int(b.GetBatteryPercent()),
			})
		}
		view.Docks = append(view.Docks, dock)
	}
	for _, t := range v.live.Transfers() {
		view.Transfers = append(view.Transfers, reading.Transfer{
			Agency: string(t.Agency), Dock: string(t.Dock), Evidence: t.Item.Evidence.String(), Camera: t.Item.Camera, Path: t.Item.Path,
			Length: t.Item.Length, Durable: t.Durable, BytesPerSecond: t.BytesPerSecond, Stage: string(t.Stage), StartedAt: t.StartedAt,
		})
	}
	return view
}
