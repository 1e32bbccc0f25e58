// Package karla verifies the webhooks that Karla (gokarla.io) sends and reads
// their events.
//
// What is known of Karla is little and partly old, so everything that comes from
// there is read leniently: unknown members are ignored, missing ones are empty,
// and an event of an unknown kind is an event all the same.
package karla
