// Package karla verifies the webhooks that Karla (gokarla.io) sends and parses their
// events.
//
// Documentation of Karla is sparse and partly outdated, so parsing is lenient:
// unknown members are ignored, missing ones are empty, and an event of an unknown
// kind is still an event.
package karla
