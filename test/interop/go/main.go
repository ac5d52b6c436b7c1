// Stands for a service that uses Watermill. It reads and writes JSON, one message a line:
//
//	watermill publish <stream>
//	watermill publish-keyed <stream> <partitions>
//	watermill subscribe <stream> <group> <count> [nack]
package main

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
)

func main() {
	redis, err := Dial(os.Getenv("REDIS_URL"))
	if err == nil {
		err = run(redis, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(redis *Redis, words []string) error {
	switch {
	case len(words) == 2 && words[0] == "publish":
		return eachLine(func(message Message) error { return Publish(redis, words[1], message) })
	case len(words) == 3 && words[0] == "publish-keyed":
		partitions, err := strconv.ParseUint(words[2], 10, 32)
		if err != nil {
			return err
		}
		return eachLine(func(message Message) error {
			key, isSet := message.Metadata["_nestjs_key"]
			if !isSet {
				key = message.UUID
			}
			partition := crc32.ChecksumIEEE([]byte(key)) % uint32(partitions)
			return Publish(redis, fmt.Sprintf("{%s:%d}", words[1], partition), message)
		})
	case len(words) >= 4 && words[0] == "subscribe":
		count, err := strconv.Atoi(words[3])
		if err != nil {
			return err
		}
		output := json.NewEncoder(os.Stdout)
		return Subscribe(redis, words[1], words[2], count, func(message Message) (bool, error) {
			return len(words) == 4, output.Encode(message)
		})
	}
	return fmt.Errorf("%q is no command", words)
}

func eachLine(handle func(Message) error) error {
	input := json.NewDecoder(os.Stdin)
	for {
		var message Message
		if err := input.Decode(&message); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := handle(message); err != nil {
			return err
		}
	}
}
