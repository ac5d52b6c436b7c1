package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Metadata is what Watermill attaches to a message. Both keys and values are text.
type Metadata map[string]string

var errShort = errors.New("the metadata ends too early")

// Pack writes MessagePack: a map of strings, each with the shortest header for its length.
func (m Metadata) Pack() []byte {
	var packed []byte
	if len(m) < 16 {
		packed = append(packed, 0x80|byte(len(m)))
	} else {
		packed = binary.BigEndian.AppendUint16([]byte{0xde}, uint16(len(m)))
	}
	for key, value := range m {
		packed = packText(packText(packed, key), value)
	}
	return packed
}

func packText(packed []byte, text string) []byte {
	switch size := len(text); {
	case size < 32:
		packed = append(packed, 0xa0|byte(size))
	case size < 1<<8:
		packed = append(packed, 0xd9, byte(size))
	case size < 1<<16:
		packed = binary.BigEndian.AppendUint16(append(packed, 0xda), uint16(size))
	default:
		packed = binary.BigEndian.AppendUint32(append(packed, 0xdb), uint32(size))
	}
	return append(packed, text...)
}

// Unpack reads MessagePack, and refuses everything but a map of strings, as Go does for a map[string]string.
func Unpack(packed []byte) (Metadata, error) {
	if len(packed) == 0 {
		return nil, errShort
	}
	count, rest := 0, packed[1:]
	switch head := packed[0]; {
	case head&0xf0 == 0x80:
		count = int(head & 0x0f)
	case head == 0xde && len(rest) >= 2:
		count, rest = int(binary.BigEndian.Uint16(rest)), rest[2:]
	default:
		return nil, fmt.Errorf("0x%x does not begin a map", head)
	}
	metadata := Metadata{}
	for ; count > 0; count-- {
		var key, value string
		var err error
		if key, rest, err = unpackText(rest); err != nil {
			return nil, err
		}
		if value, rest, err = unpackText(rest); err != nil {
			return nil, err
		}
		metadata[key] = value
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the metadata", len(rest))
	}
	return metadata, nil
}

func unpackText(packed []byte) (string, []byte, error) {
	if len(packed) == 0 {
		return "", nil, errShort
	}
	head, rest := packed[0], packed[1:]
	size, width := int(head&0x1f), 0
	if head&0xe0 != 0xa0 {
		if head < 0xd9 || head > 0xdb {
			return "", nil, fmt.Errorf("0x%x does not begin a string", head)
		}
		size, width = 0, 1<<(head-0xd9)
	}
	if len(rest) < width {
		return "", nil, errShort
	}
	for _, digit := range rest[:width] {
		size = size<<8 | int(digit)
	}
	if rest = rest[width:]; len(rest) < size {
		return "", nil, errShort
	}
	return string(rest[:size]), rest[size:], nil
}
