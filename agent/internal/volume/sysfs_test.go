package volume

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree writes files below a folder; a text that begins with "->" is a link.
func tree(t testing.TB, top string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "->"); ok {
			err = os.Symlink(target, at)
		} else {
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return top
}

const (
	usb12  = "devices/pci0000:00/0000:00:14.0/usb1/1-2"
	usb123 = usb12 + "/1-2.3"
)

// machine has a card with two partitions behind a hub, a reader with two slots of which one
// is empty, a disk on SATA, a disc drive on USB, and a card in a reader that is not SCSI.
func machine(t testing.TB) string {
	sda := usb123 + "/1-2.3:1.0/host6/target6:0:0/6:0:0:0/block/sda"
	slot := func(n string) string { return usb12 + "/1-2.4/1-2.4:1.0/host7/target7:0:0/7:0:0:" + n + "/block/" }
	sata := "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdz"
	mmc := "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/rtsx/mmc_host/mmc0/mmc0:0001/block/mmcblk0"
	disc := "devices/pci0000:00/0000:00:14.0/usb3/3-1/3-1:1.0/host9/target9:0:0/9:0:0:0/block/sr0"
	files := map[string]string{
		"block/sda": "->../" + sda, sda + "/dev": "8:0\n", sda + "/size": "262144\n", sda + "/removable": "1\n",
		sda + "/sda2/partition": "2\n", sda + "/sda2/dev": "8:2\n", sda + "/sda2/size": "1000\n",
		sda + "/sda1/partition": "1\n", sda + "/sda1/dev": "8:1\n", sda + "/sda1/size": "2000\n",
		usb123 + "/serial": "ABC\x01123\n", usb123 + "/product": "Body Cam\n", usb123 + "/idVendor": "1209\n", usb123 + "/bcdDevice": "0102\n",
		"block/sdb": "->../" + slot("1") + "sdb", slot("1") + "sdb/dev": "8:16\n", slot("1") + "sdb/size": "8192\n",
		"block/sdc": "->../" + slot("0") + "sdc", slot("0") + "sdc/dev": "8:32\n", slot("0") + "sdc/size": "0\n",
		"block/sdz": "->../" + sata, sata + "/dev": "8:48\n", sata + "/size": "99999\n",
		"block/mmcblk0": "->../" + mmc, mmc + "/dev": "179:0\n", mmc + "/size": "4096\n",
		"block/sr0": "->../" + disc, disc + "/dev": "11:0\n", disc + "/size": "4096\n",
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tree(t, top, files)
}

func TestDisksAreFoundByPortAndNotByOrder(t *testing.T) {
	devices, err := scan(machine(t))
	if err != nil {
		t.Fatal(err)
	}
	ports := make([]string, len(devices))
	for i, d := range devices {
		ports[i] = d.port
	}
	if !slices.Equal(ports, []string{"1-2.3", "1-2.4", "2-1"}) {
		t.Fatalf("ports: %v", ports)
	}
	card := devices[0].blocks()
	if len(card) != 2 || card[0].name != "sda1" || card[0].id() != 0x10001 || card[0].size != 2000*512 || card[1].name != "sda2" || card[1].id() != 0x10002 || !card[1].disk.removable {
		t.Errorf("the card's partitions: %+v", card)
	}
	reader := devices[1].blocks()
	if len(reader) != 2 || reader[0].name != "sdc" || reader[0].size != 0 || reader[1].name != "sdb" || reader[1].id() != 0x20000 || !devices[1].medium() {
		t.Errorf("the reader's slots: %+v", reader)
	}
	if devices, err := scan(filepath.Join(t.TempDir(), "none")); err != nil || len(devices) != 0 {
		t.Errorf("a machine without sysfs: %v, %v", devices, err)
	}
}

func TestDisksOfTheMachineItselfAreLeftAlone(t *testing.T) {
	devices, err := scan(machine(t))
	if err != nil {
		t.Fatal(err)
	}
	card := devices[0]
	line := func(number, point, kind string) string {
		return "36 35 " + number + " / " + point + " rw,noatime master:1 - " + kind + " /dev/x rw\n"
	}
	for name, c := range map[string]struct {
		mounts, swaps, data string
		left                bool
	}{
		"nobody's":                  {"", "", "", false},
		"others' mounts":            {line("8:3", "/", "ext4") + "broken line\n" + line("8:48", "/home", "vfat"), "/dev/sdz1 partition", "8:48", false},
		"a card a desktop mounted":  {line("8:1", `/run/media/me/MY\040CARD`, "vfat"), "", "", false},
		"the machine's own":         {line("8:2", "/boot/efi", "vfat"), "", "", true},
		"a disk for backups":        {line("8:0", "/mnt/backup", "ext4"), "", "", true},
		"swap":                      {"", "Filename Type\n/dev/sda2 partition 1 0 -2\n", "", true},
		"with the agent's own data": {line("8:1", "/media/spool", "vfat"), "", "8:1", true},
	} {
		if use := card.systemUse(parseMounts([]byte(c.mounts)), []byte(c.swaps), c.data); (use != "") != c.left {
			t.Errorf("%s: %q", name, use)
		}
	}
	card.disks[0].inUse = true
	if card.systemUse(nil, nil, "") == "" {
		t.Error("a disk under another device is taken for a camera")
	}
}

func TestADeviceThatSpeaksPTPTooIsLeftToThatDoor(t *testing.T) {
	device := "\x12\x01\x00\x02\x00\x00\x00\x40\x09\x12\x01\x00\x00\x01\x01\x02\x03\x01"
	configuration := "\x09\x02\x40\x00\x02\x01\x00\x80\x32"
	storage := "\x09\x04\x00\x00\x02\x08\x06\x50\x00" + "\x07\x05\x81\x02\x00\x02\x00" + "\x07\x05\x02\x02\x00\x02\x00"
	still := "\x09\x04\x01\x00\x03\x06\x01\x01\x00"
	in, out, events := "\x07\x05\x83\x02\x00\x02\x00", "\x07\x05\x04\x02\x00\x02\x00", "\x07\x05\x85\x03\x40\x00\x06"
	for name, c := range map[string]struct {
		descriptors string
		want        bool
	}{
		"storage":                         {device + configuration + storage, false},
		"storage and still image":         {device + configuration + storage + still + events + out + in, true},
		"in the second configuration":     {device + configuration + storage + configuration + still + in + out, true},
		"still image without a way in":    {device + configuration + still + out + events + storage, false},
		"nothing":                         {"", false},
		"a descriptor of no length":       {device + "\x00\x04" + still + in + out, false},
		"a descriptor longer than itself": {device + "\xff\x04" + still + in + out, false},
	} {
		if got := imaging([]byte(c.descriptors)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzSystemFiles(f *testing.F) {
	f.Add([]byte("36 35 8:1 / /mnt/a\\040b rw - vfat /dev/sda1 rw\n"))
	f.Add([]byte("\x09\x04\x01\x00\x03\x06\x01\x01\x00\x07\x05\x83\x02\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		imaging(text)
		for _, m := range parseMounts(text) {
			m.ours()
		}
	})
}
