package camera

import "fmt"

// Operation is an operation code (PIMA 15740 section 10.4; MTP 1.1 appendix D).
type Operation uint16

// The operations in use.
const (
	OpGetDeviceInfo        Operation = 0x1001
	OpOpenSession          Operation = 0x1002
	OpCloseSession         Operation = 0x1003
	OpGetStorageIDs        Operation = 0x1004
	OpGetStorageInfo       Operation = 0x1005
	OpGetNumObjects        Operation = 0x1006
	OpGetObjectHandles     Operation = 0x1007
	OpGetObjectInfo        Operation = 0x1008
	OpGetObject            Operation = 0x1009
	OpGetThumb             Operation = 0x100A
	OpDeleteObject         Operation = 0x100B
	OpSendObjectInfo       Operation = 0x100C
	OpSendObject           Operation = 0x100D
	OpFormatStore          Operation = 0x100F
	OpResetDevice          Operation = 0x1010
	OpGetDevicePropDesc    Operation = 0x1014
	OpGetDevicePropValue   Operation = 0x1015
	OpSetDevicePropValue   Operation = 0x1016
	OpResetDevicePropValue Operation = 0x1017
	OpGetPartialObject     Operation = 0x101B
	// OpGetPartialObject64 is an Android extension: handle, offset low, offset
	// high, length. The response's first parameter is the length sent.
	OpGetPartialObject64      Operation = 0x95C1
	OpGetObjectPropsSupported Operation = 0x9801
	OpGetObjectPropDesc       Operation = 0x9802
	OpGetObjectPropValue      Operation = 0x9803
	OpSetObjectPropValue      Operation = 0x9804
	OpGetObjectPropList       Operation = 0x9805

	// The Sealdock extension (SPEC.md section 7.2).
	OpGetCameraStatus   Operation = 0x9601
	OpProveIdentity     Operation = 0x9602
	OpAdopt             Operation = 0x9603
	OpSetTrust          Operation = 0x9604
	OpUnlockStorage     Operation = 0x9605
	OpLockStorage       Operation = 0x9606
	OpGetListing        Operation = 0x9610
	OpEraseRecording    Operation = 0x9612
	OpGetEraseStatement Operation = 0x9614
	OpGetTime           Operation = 0x9620
	OpSetTime           Operation = 0x9621
	OpGetSettings       Operation = 0x9630
	OpSetSettings       Operation = 0x9631
	OpFirmwareBegin     Operation = 0x9640
	OpFirmwareWrite     Operation = 0x9641
	OpFirmwareApply     Operation = 0x9642
	OpFirmwareConfirm   Operation = 0x9643
	OpGetFirmwareStatus Operation = 0x9644
	OpAssignWearer      Operation = 0x9660
	OpSetIndicator      Operation = 0x9670
)

// String returns the standard's name, or the code in hexadecimal.
func (o Operation) String() string {
	switch o {
	case OpGetDeviceInfo:
		return "GetDeviceInfo"
	case OpOpenSession:
		return "OpenSession"
	case OpCloseSession:
		return "CloseSession"
	case OpGetStorageIDs:
		return "GetStorageIDs"
	case OpGetStorageInfo:
		return "GetStorageInfo"
	case OpGetNumObjects:
		return "GetNumObjects"
	case OpGetObjectHandles:
		return "GetObjectHandles"
	case OpGetObjectInfo:
		return "GetObjectInfo"
	case OpGetObject:
		return "GetObject"
	case OpGetThumb:
		return "GetThumb"
	case OpDeleteObject:
		return "DeleteObject"
	case OpSendObjectInfo:
		return "SendObjectInfo"
	case OpSendObject:
		return "SendObject"
	case OpFormatStore:
		return "FormatStore"
	case OpResetDevice:
		return "ResetDevice"
	case OpGetDevicePropDesc:
		return "GetDevicePropDesc"
	case OpGetDevicePropValue:
		return "GetDevicePropValue"
	case OpSetDevicePropValue:
		return "SetDevicePropValue"
	case OpResetDevicePropValue:
		return "ResetDevicePropValue"
	case OpGetPartialObject:
		return "GetPartialObject"
	case OpGetPartialObject64:
		return "GetPartialObject64"
	case OpGetObjectPropsSupported:
		return "GetObjectPropsSupported"
	case OpGetObjectPropDesc:
		return "GetObjectPropDesc"
	case OpGetObjectPropValue:
		return "GetObjectPropValue"
	case OpSetObjectPropValue:
		return "SetObjectPropValue"
	case OpGetObjectPropList:
		return "GetObjectPropList"
	case OpGetCameraStatus:
		return "GetCameraStatus"
	case OpProveIdentity:
		return "ProveIdentity"
	case OpAdopt:
		return "Adopt"
	case OpSetTrust:
		return "SetTrust"
	case OpUnlockStorage:
		return "UnlockStorage"
	case OpLockStorage:
		return "LockStorage"
	case OpGetListing:
		return "GetListing"
	case OpEraseRecording:
		return "EraseRecording"
	case OpGetEraseStatement:
		return "GetEraseStatement"
	case OpGetTime:
		return "GetTime"
	case OpSetTime:
		return "SetTime"
	case OpGetSettings:
		return "GetSettings"
	case OpSetSettings:
		return "SetSettings"
	case OpFirmwareBegin:
		return "FirmwareBegin"
	case OpFirmwareWrite:
		return "FirmwareWrite"
	case OpFirmwareApply:
		return "FirmwareApply"
	case OpFirmwareConfirm:
		return "FirmwareConfirm"
	case OpGetFirmwareStatus:
		return "GetFirmwareStatus"
	case OpAssignWearer:
		return "AssignWearer"
	case OpSetIndicator:
		return "SetIndicator"
	}
	return fmt.Sprintf("operation 0x%04x", uint16(o))
}

// Response is a response code (PIMA 15740 section 11; MTP 1.1 appendix F).
type Response uint16

// The responses in use.
const (
	RespOK                       Response = 0x2001
	RespGeneralError             Response = 0x2002
	RespSessionNotOpen           Response = 0x2003
	RespInvalidTransactionID     Response = 0x2004
	RespOperationNotSupported    Response = 0x2005
	RespParameterNotSupported    Response = 0x2006
	RespIncompleteTransfer       Response = 0x2007
	RespInvalidStorageID         Response = 0x2008
	RespInvalidObjectHandle      Response = 0x2009
	RespDevicePropNotSupported   Response = 0x200A
	RespInvalidObjectFormatCode  Response = 0x200B
	RespStoreFull                Response = 0x200C
	RespObjectWriteProtected     Response = 0x200D
	RespStoreReadOnly            Response = 0x200E
	RespAccessDenied             Response = 0x200F
	RespNoThumbnailPresent       Response = 0x2010
	RespPartialDeletion          Response = 0x2012
	RespStoreNotAvailable        Response = 0x2013
	RespSpecificationUnsupported Response = 0x2014
	RespNoValidObjectInfo        Response = 0x2015
	RespDeviceBusy               Response = 0x2019
	RespInvalidParentObject      Response = 0x201A
	RespInvalidPropFormat        Response = 0x201B
	RespInvalidPropValue         Response = 0x201C
	RespInvalidParameter         Response = 0x201D
	RespSessionAlreadyOpen       Response = 0x201E
	RespTransactionCancelled     Response = 0x201F
	RespInvalidObjectPropCode    Response = 0xA801
	RespSpecByFormatUnsupported  Response = 0xA805
	RespSpecByGroupUnsupported   Response = 0xA807
	RespSpecByDepthUnsupported   Response = 0xA808
	RespObjectTooLarge           Response = 0xA809
	RespObjectPropNotSupported   Response = 0xA80A

	// The Sealdock extension (SPEC.md section 7.2).
	RespLocked         Response = 0xA601
	RespNotAuthorized  Response = 0xA602
	RespOtherAuthority Response = 0xA607
	RespLowBattery     Response = 0xA610
	RespBroken         Response = 0xA611
	RespOlder          Response = 0xA612
	RespNotConfirmed   Response = 0xA613
	RespOtherModel     Response = 0xA614
)

// String returns plain words for a known response, or the code in hexadecimal.
func (r Response) String() string {
	switch r {
	case RespOK:
		return "OK"
	case RespGeneralError:
		return "general error"
	case RespSessionNotOpen:
		return "session not open"
	case RespInvalidTransactionID:
		return "invalid transaction id"
	case RespOperationNotSupported:
		return "operation not supported"
	case RespParameterNotSupported:
		return "parameter not supported"
	case RespIncompleteTransfer:
		return "incomplete transfer"
	case RespInvalidStorageID:
		return "invalid storage id"
	case RespInvalidObjectHandle:
		return "invalid object handle"
	case RespDevicePropNotSupported:
		return "device property not supported"
	case RespInvalidObjectFormatCode:
		return "invalid object format"
	case RespStoreFull:
		return "store full"
	case RespObjectWriteProtected:
		return "object write-protected"
	case RespStoreReadOnly:
		return "store read-only"
	case RespAccessDenied:
		return "access denied"
	case RespNoThumbnailPresent:
		return "no thumbnail"
	case RespPartialDeletion:
		return "partial deletion"
	case RespStoreNotAvailable:
		return "store not available"
	case RespSpecificationUnsupported:
		return "specification by format not supported"
	case RespNoValidObjectInfo:
		return "no valid object info"
	case RespDeviceBusy:
		return "device busy"
	case RespInvalidParentObject:
		return "invalid parent object"
	case RespInvalidPropFormat:
		return "invalid property format"
	case RespInvalidPropValue:
		return "invalid property value"
	case RespInvalidParameter:
		return "invalid parameter"
	case RespSessionAlreadyOpen:
		return "session already open"
	case RespTransactionCancelled:
		return "transaction cancelled"
	case RespInvalidObjectPropCode:
		return "invalid object property code"
	case RespSpecByFormatUnsupported:
		return "property list by format not supported"
	case RespSpecByGroupUnsupported:
		return "property list by group not supported"
	case RespSpecByDepthUnsupported:
		return "property list by depth not supported"
	case RespObjectTooLarge:
		return "object too large"
	case RespLocked:
		return "the camera is locked"
	case RespNotAuthorized:
		return "not signed by who it must be"
	case RespOtherAuthority:
		return "belongs to another agency"
	case RespLowBattery:
		return "charge too low"
	case RespBroken:
		return "image or statement broken"
	case RespOlder:
		return "older than what the camera has"
	case RespNotConfirmed:
		return "the receipt does not hold for this recording"
	case RespOtherModel:
		return "for another model"
	case RespObjectPropNotSupported:
		return "object property not supported"
	}
	return fmt.Sprintf("response 0x%04x", uint16(r))
}

// Event is an event code (PIMA 15740 section 12).
type Event uint16

// The events in use.
const (
	EventCancelTransaction Event = 0x4001
	EventObjectAdded       Event = 0x4002
	EventObjectRemoved     Event = 0x4003
	EventStoreAdded        Event = 0x4004
	EventStoreRemoved      Event = 0x4005
	EventDevicePropChanged Event = 0x4006
	EventObjectInfoChanged Event = 0x4007
	EventDeviceInfoChanged Event = 0x4008
	EventStoreFull         Event = 0x400A
)

// Format is an object format code (PIMA 15740 section 6.2; MTP 1.1 appendix A).
type Format uint16

// The formats in use.
const (
	FormatUndefined   Format = 0x3000
	FormatAssociation Format = 0x3001 // a folder
	FormatText        Format = 0x3004
	FormatHTML        Format = 0x3005
	FormatMP3         Format = 0x3009
	FormatWAV         Format = 0x3008
	FormatAVI         Format = 0x300A
	FormatMPEG        Format = 0x300B
	FormatASF         Format = 0x300C
	FormatJPEG        Format = 0x3801
	FormatWMV         Format = 0xB981
	FormatMP4         Format = 0xB982
	Format3GP         Format = 0xB984
	FormatAAC         Format = 0xB903
	FormatXML         Format = 0xBA82
)

// DeviceProperty is a device property code (PIMA 15740 section 13; MTP 1.1 appendix C).
type DeviceProperty uint16

// The device properties in use.
const (
	DevPropBatteryLevel DeviceProperty = 0x5001 // u8, percent
	DevPropDateTime     DeviceProperty = 0x5011 // string, see ParseDateTime
	DevPropSyncPartner  DeviceProperty = 0xD401 // string
	DevPropFriendlyName DeviceProperty = 0xD402 // string
)

// ObjectProperty is an object property code (MTP 1.1 appendix B).
type ObjectProperty uint16

// The object properties in use.
const (
	ObjPropStorageID        ObjectProperty = 0xDC01 // u32
	ObjPropObjectFormat     ObjectProperty = 0xDC02 // u16
	ObjPropProtectionStatus ObjectProperty = 0xDC03 // u16
	ObjPropObjectSize       ObjectProperty = 0xDC04 // u64, bytes
	ObjPropObjectFileName   ObjectProperty = 0xDC07 // string
	ObjPropDateCreated      ObjectProperty = 0xDC08 // string
	ObjPropDateModified     ObjectProperty = 0xDC09 // string
	ObjPropParentObject     ObjectProperty = 0xDC0B // u32
	ObjPropPersistentID     ObjectProperty = 0xDC41 // u128
	ObjPropName             ObjectProperty = 0xDC44 // string
	ObjPropDuration         ObjectProperty = 0xDC89 // u32, milliseconds
)

// Special handles and storage ids (PIMA 15740 sections 10.5.6 to 10.5.8).
const (
	AllStorages   uint32 = 0xFFFFFFFF
	AllFormats    uint32 = 0
	AllObjects    uint32 = 0          // as a parent: no restriction
	RootParent    uint32 = 0xFFFFFFFF // as a parent: objects in the root of the storage
	DeleteAll     uint32 = 0xFFFFFFFF
	SizeIsUnknown uint32 = 0xFFFFFFFF // ObjectInfo.CompressedSize of 4 GiB and more
)
