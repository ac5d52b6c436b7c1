package main

import (
	"fmt"
	"strings"
)

const uuidKey = "_watermill_message_uuid"

// Message is a message of Watermill. Its payload is base64 in JSON, as Go writes bytes.
type Message struct {
	UUID     string   `json:"uuid"`
	Metadata Metadata `json:"metadata"`
	Payload  []byte   `json:"payload"`
}

// Fields are those of an entry. Go's maps have no order, and so neither have the fields.
func (m Message) Fields() map[string]string {
	metadata := ""
	if len(m.Metadata) > 0 {
		metadata = string(m.Metadata.Pack())
	}
	return map[string]string{uuidKey: m.UUID, "metadata": metadata, "payload": string(m.Payload)}
}

func messageOf(fields map[string]string) (Message, error) {
	uuid, isThere := fields[uuidKey]
	if !isThere {
		return Message{}, fmt.Errorf("the entry has no field %s", uuidKey)
	}
	message := Message{UUID: uuid, Metadata: Metadata{}, Payload: []byte(fields["payload"])}
	if packed := fields["metadata"]; packed != "" {
		metadata, err := Unpack([]byte(packed))
		if err != nil {
			return Message{}, err
		}
		message.Metadata = metadata
	}
	return message, nil
}

// Publish writes a message to a stream, which is what Watermill calls a topic.
func Publish(redis *Redis, stream string, message Message) error {
	command := []string{"XADD", stream, "*"}
	for field, value := range message.Fields() {
		command = append(command, field, value)
	}
	_, err := redis.Do(command...)
	return err
}

// Subscribe hands over messages, one read at a time, until it had count of them. What is not acknowledged stays pending.
func Subscribe(
	redis *Redis, stream, group string, count int, handle func(Message) (ack bool, err error),
) error {
	// From the beginning of the stream: Watermill's OldestId is "0" unless it is set.
	_, err := redis.Do("XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return err
	}
	for handled := 0; handled < count; {
		reply, err := redis.Do("XREADGROUP", "GROUP", group, "go-1",
			"COUNT", "1", "BLOCK", "1000", "STREAMS", stream, ">")
		if err != nil {
			return err
		}
		for id, fields := range entriesOf(reply) {
			message, err := messageOf(fields)
			if err != nil {
				return fmt.Errorf("entry %s: %w", id, err)
			}
			ack, err := handle(message)
			if err != nil {
				return err
			}
			if ack {
				if _, err := redis.Do("XACK", stream, group, id); err != nil {
					return err
				}
			}
			handled++
		}
	}
	return nil
}

// entriesOf gives the entries of the one stream that was read, by their IDs.
func entriesOf(reply interface{}) map[string]map[string]string {
	found := map[string]map[string]string{}
	streams, _ := reply.([]interface{})
	for _, each := range streams {
		for _, entry := range each.([]interface{})[1].([]interface{}) {
			pair := entry.([]interface{})
			fields := map[string]string{}
			list := pair[1].([]interface{})
			for at := 0; at+1 < len(list); at += 2 {
				fields[list[at].(string)] = list[at+1].(string)
			}
			found[pair[0].(string)] = fields
		}
	}
	return found
}
