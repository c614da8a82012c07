package camera

import (
	"encoding/binary"
)

// DeviceInfo is what a camera says of itself (PIMA 15740 section 5.5.1).
type DeviceInfo struct {
	StandardVersion  uint16 // in hundredths: 100 is 1.00
	VendorExtension  uint32 // id; 6 is Microsoft's, under which MTP runs
	VendorVersion    uint16 // in hundredths
	VendorDesc       Text   // "microsoft.com: 1.0; android.com: 1.0;"
	FunctionalMode   uint16
	Operations       []Operation
	Events           []Event
	DeviceProperties []DeviceProperty
	CaptureFormats   []Format
	ImageFormats     []Format
	Manufacturer     Text
	Model            Text
	DeviceVersion    Text // firmware
	SerialNumber     Text
}

// Supports says whether the camera lists the operation.
func (d *DeviceInfo) Supports(op Operation) bool {
	for _, o := range d.Operations {
		if o == op {
			return true
		}
	}
	return false
}

// HasProperty says whether the camera lists the device property.
func (d *DeviceInfo) HasProperty(property DeviceProperty) bool {
	for _, p := range d.DeviceProperties {
		if p == property {
			return true
		}
	}
	return false
}

// ParseDeviceInfo decodes the data of GetDeviceInfo.
func ParseDeviceInfo(p []byte) (DeviceInfo, error) {
	c := cursor{rest: p, what: "DeviceInfo"}
	d := DeviceInfo{
		StandardVersion:  c.u16("standard version"),
		VendorExtension:  c.u32("vendor extension id"),
		VendorVersion:    c.u16("vendor extension version"),
		VendorDesc:       c.text("vendor extension description"),
		FunctionalMode:   c.u16("functional mode"),
		Operations:       array16[Operation](&c, "operations"),
		Events:           array16[Event](&c, "events"),
		DeviceProperties: array16[DeviceProperty](&c, "device properties"),
		CaptureFormats:   array16[Format](&c, "capture formats"),
		ImageFormats:     array16[Format](&c, "image formats"),
		Manufacturer:     c.text("manufacturer"),
		Model:            c.text("model"),
		DeviceVersion:    c.text("device version"),
		SerialNumber:     c.text("serial number"),
	}
	return d, c.fault
}

// Append appends the dataset to dst.
func (d *DeviceInfo) Append(dst []byte) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint16(dst, d.StandardVersion)
	dst = binary.LittleEndian.AppendUint32(dst, d.VendorExtension)
	dst = binary.LittleEndian.AppendUint16(dst, d.VendorVersion)
	dst, err := appendTexts(dst, "DeviceInfo", d.VendorDesc)
	if err != nil {
		return dst, err
	}
	dst = binary.LittleEndian.AppendUint16(dst, d.FunctionalMode)
	dst = appendArray16(dst, d.Operations)
	dst = appendArray16(dst, d.Events)
	dst = appendArray16(dst, d.DeviceProperties)
	dst = appendArray16(dst, d.CaptureFormats)
	dst = appendArray16(dst, d.ImageFormats)
	return appendTexts(dst, "DeviceInfo", d.Manufacturer, d.Model, d.DeviceVersion, d.SerialNumber)
}

// Storage types, file system types and access capabilities (PIMA 15740 section 5.5.3).
const (
	StorageFixedROM     uint16 = 1
	StorageRemovableROM uint16 = 2
	StorageFixedRAM     uint16 = 3
	StorageRemovableRAM uint16 = 4

	FilesystemFlat         uint16 = 1
	FilesystemHierarchical uint16 = 2
	FilesystemDCF          uint16 = 3

	AccessReadWrite          uint16 = 0
	AccessReadOnly           uint16 = 1
	AccessReadOnlyWithDelete uint16 = 2
)

// StorageInfo describes one storage (PIMA 15740 section 5.5.3).
type StorageInfo struct {
	StorageType    uint16
	FilesystemType uint16
	Access         uint16
	MaxCapacity    uint64 // bytes
	FreeSpace      uint64 // bytes
	FreeImages     uint32 // objects; 0xFFFFFFFF when unknown
	Description    Text
	VolumeLabel    Text
}

// ParseStorageInfo decodes the data of GetStorageInfo.
func ParseStorageInfo(p []byte) (StorageInfo, error) {
	c := cursor{rest: p, what: "StorageInfo"}
	s := StorageInfo{
		StorageType:    c.u16("storage type"),
		FilesystemType: c.u16("file system type"),
		Access:         c.u16("access capability"),
		MaxCapacity:    c.u64("capacity"),
		FreeSpace:      c.u64("free space"),
		FreeImages:     c.u32("free images"),
		Description:    c.text("description"),
		VolumeLabel:    c.text("volume label"),
	}
	return s, c.fault
}

// Append appends the dataset to dst.
func (s *StorageInfo) Append(dst []byte) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint16(dst, s.StorageType)
	dst = binary.LittleEndian.AppendUint16(dst, s.FilesystemType)
	dst = binary.LittleEndian.AppendUint16(dst, s.Access)
	dst = binary.LittleEndian.AppendUint64(dst, s.MaxCapacity)
	dst = binary.LittleEndian.AppendUint64(dst, s.FreeSpace)
	dst = binary.LittleEndian.AppendUint32(dst, s.FreeImages)
	return appendTexts(dst, "StorageInfo", s.Description, s.VolumeLabel)
}

// Protection states and association types (PIMA 15740 sections 5.5.2 and 6.5).
const (
	ProtectionNone     uint16 = 0
	ProtectionReadOnly uint16 = 1

	AssociationGenericFolder uint16 = 1
)

// ObjectInfo describes one object (PIMA 15740 section 5.5.2).
type ObjectInfo struct {
	Storage           uint32
	Format            Format
	Protection        uint16
	CompressedSize    uint32 // bytes; SizeIsUnknown at 4 GiB and more (MTP 1.1 section 5.3.1)
	ThumbFormat       Format
	ThumbSize         uint32 // bytes
	ThumbWidth        uint32 // pixels
	ThumbHeight       uint32
	ImageWidth        uint32
	ImageHeight       uint32
	ImageBitDepth     uint32
	Parent            uint32 // handle; 0 in the root
	AssociationType   uint16
	AssociationDesc   uint32
	SequenceNumber    uint32
	Filename          Text
	CaptureDate       Text
	ModificationDate  Text
	Keywords          Text
	DatesAreTruncated bool // the dataset ended before its date strings: some old responders do
}

// ParseObjectInfo decodes the data of GetObjectInfo. A dataset that ends cleanly
// after its file name is taken, for responders that leave the dates out.
func ParseObjectInfo(p []byte) (ObjectInfo, error) {
	c := cursor{rest: p, what: "ObjectInfo"}
	o := ObjectInfo{
		Storage:         c.u32("storage id"),
		Format:          Format(c.u16("format")),
		Protection:      c.u16("protection"),
		CompressedSize:  c.u32("size"),
		ThumbFormat:     Format(c.u16("thumbnail format")),
		ThumbSize:       c.u32("thumbnail size"),
		ThumbWidth:      c.u32("thumbnail width"),
		ThumbHeight:     c.u32("thumbnail height"),
		ImageWidth:      c.u32("image width"),
		ImageHeight:     c.u32("image height"),
		ImageBitDepth:   c.u32("image depth"),
		Parent:          c.u32("parent"),
		AssociationType: c.u16("association type"),
		AssociationDesc: c.u32("association description"),
		SequenceNumber:  c.u32("sequence number"),
		Filename:        c.text("file name"),
	}
	if c.fault == nil && len(c.rest) == 0 {
		o.DatesAreTruncated = true
		return o, nil
	}
	o.CaptureDate = c.text("capture date")
	o.ModificationDate = c.text("modification date")
	o.Keywords = c.text("keywords")
	return o, c.fault
}

// Append appends the dataset to dst.
func (o *ObjectInfo) Append(dst []byte) ([]byte, error) {
	dst = binary.LittleEndian.AppendUint32(dst, o.Storage)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(o.Format))
	dst = binary.LittleEndian.AppendUint16(dst, o.Protection)
	dst = binary.LittleEndian.AppendUint32(dst, o.CompressedSize)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(o.ThumbFormat))
	for _, v := range [...]uint32{o.ThumbSize, o.ThumbWidth, o.ThumbHeight, o.ImageWidth, o.ImageHeight, o.ImageBitDepth, o.Parent} {
		dst = binary.LittleEndian.AppendUint32(dst, v)
	}
	dst = binary.LittleEndian.AppendUint16(dst, o.AssociationType)
	dst = binary.LittleEndian.AppendUint32(dst, o.AssociationDesc)
	dst = binary.LittleEndian.AppendUint32(dst, o.SequenceNumber)
	if o.DatesAreTruncated {
		return appendTexts(dst, "ObjectInfo", o.Filename)
	}
	return appendTexts(dst, "ObjectInfo", o.Filename, o.CaptureDate, o.ModificationDate, o.Keywords)
}
