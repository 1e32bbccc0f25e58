package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/claimflow/claimflow/claim"
	"github.com/claimflow/claimflow/store"
)

func version(t *testing.T, s *store.Store, shop string) int64 {
	t.Helper()
	in, err := s.Settings.Integration(t.Context(), shop)
	require.NoError(t, err)
	return in.Version
}

func TestShopsAreAddedUpdatedAndListed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		_, err := s.Shops.Create(t.Context(), store.NewShop{Slug: "acme", Name: "Again"})
		var conflict *store.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Contains(t, conflict.Problem, "acme")

		created := now.Now()
		now.Turn(time.Minute)
		addShop(t, s, "zeta")
		accept(t, s, sample("1"))
		accept(t, s, sample("2"))
		change(t, s, ref("2"), claim.EventPark)
		connection := connect(t, s, "acme", "org-1")

		shop, err := s.Shops.Get(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, claim.Shop{
			Slug: "acme", Name: "The acme", Feature: true, Connection: &connection, CreatedAt: created, UpdatedAt: created,
			Counts: map[claim.State]int{claim.StateReceived: 1, claim.StateNeedsAttention: 1},
		}, shop)
		shops, err := s.Shops.List(t.Context())
		require.NoError(t, err)
		require.Len(t, shops, 2)
		require.Equal(t, shop, shops[0])
		require.Equal(t, "zeta", shops[1].Slug)
		require.Nil(t, shops[1].Connection)

		before := version(t, s, "acme")
		name, off := "New name", false
		shop, err = s.Shops.Patch(t.Context(), "acme", claim.ShopPatch{Name: &name})
		require.NoError(t, err)
		require.Equal(t, "New name", shop.Name)
		require.True(t, shop.Feature)
		require.Equal(t, before, version(t, s, "acme"))
		shop, err = s.Shops.Patch(t.Context(), "acme", claim.ShopPatch{Feature: &off})
		require.NoError(t, err)
		require.Equal(t, "New name", shop.Name)
		require.False(t, shop.Feature)
		require.Equal(t, before+1, version(t, s, "acme"))
	})
}

func TestUnknownShopIsNotFound(t *testing.T) {
	t.Parallel()
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := setup(t, database(t))
			ctx := t.Context()
			accept(t, s, sample("1"))
			require.NoError(t, s.Shops.Delete(ctx, "acme"))
			for _, slug := range []string{"nobody", "acme"} {
				for name, call := range map[string]func() error{
					"Shop":         func() error { _, err := s.Shops.Get(ctx, slug); return err },
					"PatchShop":    func() error { _, err := s.Shops.Patch(ctx, slug, claim.ShopPatch{}); return err },
					"DeleteShop":   func() error { return s.Shops.Delete(ctx, slug) },
					"SetEnabled":   func() error { return s.Shops.SetEnabled(ctx, slug, true) },
					"Pause":        func() error { return s.Shops.Pause(ctx, slug) },
					"Resume":       func() error { return s.Shops.Resume(ctx, slug) },
					"Integration":  func() error { _, err := s.Settings.Integration(ctx, slug); return err },
					"SaveSettings": func() error { _, err := s.Settings.Save(ctx, slug, json.RawMessage("{}")); return err },
					"SaveToken": func() error {
						_, err := s.Connections.SaveToken(ctx, slug, "a-token", store.Organization{})
						return err
					},
					"PutTemplate": func() error { return s.Templates.Put(ctx, slug, "damaged", "en", json.RawMessage(`{}`)) },
					"DeleteTemplate": func() error {
						return s.Templates.Delete(ctx, slug, "damaged", "en")
					},
					"CreateKey": func() error { _, _, err := s.APIKeys.Create(ctx, claim.NewKey{Shop: slug}); return err },
				} {
					require.ErrorIs(t, call(), store.ErrNotFound, "%s of %s", name, slug)
				}
			}
			shops, err := s.Shops.List(ctx)
			require.NoError(t, err)
			require.Empty(t, shops)
		})
	}
}

func TestReaddedShopStartsOverButKeepsItsClaims(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		accept(t, s, sample("1"))
		connect(t, s, "acme", "org-1")
		require.NoError(t, s.Shops.SetEnabled(ctx, "acme", true))
		_, err := s.Settings.Save(ctx, "acme", json.RawMessage(`{"tag":"old"}`))
		require.NoError(t, err)
		require.NoError(t, s.Templates.Put(ctx, "acme", "damaged", "en", json.RawMessage(`{}`)))
		_, secret, err := s.APIKeys.Create(ctx, claim.NewKey{Name: "k", Shop: "acme", Scopes: []string{"claims"}})
		require.NoError(t, err)
		before := version(t, s, "acme")

		require.NoError(t, s.Shops.Delete(ctx, "acme"))
		require.EqualValues(t, 2, load(t, s, ref("1")).Revision, "claims in progress must be nudged")
		_, err = s.APIKeys.BySecret(ctx, secret)
		require.ErrorIs(t, err, store.ErrNotFound, "the key of a deleted shop must be revoked")

		addShop(t, s, "acme")
		in, err := s.Settings.Integration(ctx, "acme")
		require.NoError(t, err)
		require.False(t, in.Enabled)
		require.Nil(t, in.Connection)
		require.Equal(t, "claim", in.Effective.Tag)
		require.Greater(t, in.Version, before, "the settings version must grow")
		templates, err := s.Templates.List(ctx, "acme")
		require.NoError(t, err)
		require.Empty(t, templates)
		accepted, err := s.Claims.Accept(ctx, sample("1"))
		require.NoError(t, err)
		require.False(t, accepted.New, "an earlier claim must not be new again")
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		for _, state := range []claim.State{claim.StateReceived, claim.StateOpening, claim.StateOpen} {
			change(t, s, accept(t, s, sample(string(state))), waysTo[state]...)
		}
		require.NoError(t, s.Shops.Resume(ctx, "acme"))
		require.EqualValues(t, 1, load(t, s, ref("received")).Revision, "resuming an active shop must not nudge claims")

		require.NoError(t, s.Shops.Pause(ctx, "acme"))
		require.NoError(t, s.Shops.Pause(ctx, "acme"))
		require.True(t, load(t, s, ref("received")).Paused)
		before := version(t, s, "acme")
		now.Turn(time.Hour)
		require.NoError(t, s.Shops.Resume(ctx, "acme"))
		w := load(t, s, ref("received"))
		require.False(t, w.Paused)
		require.Equal(t, now.Now(), w.ResumedAt)
		require.EqualValues(t, 2, w.Revision, "waiting claims must be nudged when the shop resumes")
		require.EqualValues(t, 2, load(t, s, ref("opening")).Revision)
		require.EqualValues(t, 1, load(t, s, ref("open")).Revision)
		require.Equal(t, before+1, version(t, s, "acme"))
	})
}

func TestSettingsInherit(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		addShop(t, s, "other")
		_, err := s.Settings.Save(ctx, "", json.RawMessage(`{"tag":"platform","default_language":"de"}`))
		require.NoError(t, err)
		require.EqualValues(t, 2, version(t, s, "acme"))
		require.EqualValues(t, 2, version(t, s, "other"))
		v, err := s.Settings.Save(ctx, "acme", json.RawMessage(`{"tag":"shop"}`))
		require.NoError(t, err)
		require.EqualValues(t, 3, v)
		require.EqualValues(t, 2, version(t, s, "other"))

		in, err := s.Settings.Integration(ctx, "acme")
		require.NoError(t, err)
		require.JSONEq(t, `{"tag":"shop"}`, string(in.Own))
		require.Equal(t, "shop", in.Effective.Tag)
		require.Equal(t, "de", in.Effective.DefaultLanguage)
		require.Equal(t, "inbound", in.Effective.Opening)
		layer, platformVersion, err := s.Settings.Platform(ctx)
		require.NoError(t, err)
		require.JSONEq(t, `{"tag":"platform","default_language":"de"}`, string(layer))
		require.EqualValues(t, 2, platformVersion)

		v, err = s.Settings.Save(ctx, "acme", json.RawMessage(` { "tag" : "shop" } `))
		require.NoError(t, err)
		require.EqualValues(t, 3, v, "equal settings must not wake parked claims")
		_, err = s.Settings.Save(ctx, "", json.RawMessage(`{"default_language":"de", "tag":"platform"}`))
		require.NoError(t, err)
		require.EqualValues(t, 2, version(t, s, "other"))

		for _, shop := range []string{"", "acme"} {
			for _, wrong := range []string{`{"tga":"x"}`, `[]`, `null`, `"x"`, `{`} {
				_, err = s.Settings.Save(ctx, shop, json.RawMessage(wrong))
				require.ErrorAs(t, err, new(*claim.InvalidError), wrong)
			}
		}
		require.EqualValues(t, 3, version(t, s, "acme"))

		refused := errors.New("refused")
		_, err = s.Settings.Save(ctx, "acme", json.RawMessage(`{"tag":"refused"}`), func(effective claim.Settings) error {
			require.Equal(t, "refused", effective.Tag)
			require.Equal(t, "de", effective.DefaultLanguage, "rules must see inherited settings")
			return refused
		})
		require.ErrorIs(t, err, refused)
		require.EqualValues(t, 3, version(t, s, "acme"))

		_, err = s.Settings.Save(ctx, "acme", json.RawMessage(`{"default_language":"fr"}`))
		require.NoError(t, err)
		_, err = s.Settings.Save(ctx, "acme", json.RawMessage(`{"tag":null}`))
		require.NoError(t, err)
		in, err = s.Settings.Integration(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, "platform", in.Effective.Tag)
		require.Equal(t, "fr", in.Effective.DefaultLanguage, "members outside the patch must stay")
	})
}

func TestConcurrentSettingsAreAllKept(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		ctx := t.Context()
		patches := []string{`{"tag":"x"}`, `{"default_language":"fr"}`, `{"extra_tags":["vip"]}`, `{"evidence":{"max_files":3}}`, `{"evidence":{"types":{"pdf":4}}}`, `{"open_within":"2h"}`}
		for _, shop := range []string{"", "acme"} {
			errs := atOnce(len(patches), func(who int) error {
				_, err := s.Settings.Save(ctx, shop, json.RawMessage(patches[who]))
				return err
			})
			require.NoError(t, errors.Join(errs...))
		}
		const all = `{"tag":"x","default_language":"fr","extra_tags":["vip"],"evidence":{"max_files":3,"types":{"pdf":4}},"open_within":"2h"}`
		platform, _, err := s.Settings.Platform(ctx)
		require.NoError(t, err)
		require.JSONEq(t, all, string(platform))
		in, err := s.Settings.Integration(ctx, "acme")
		require.NoError(t, err)
		require.JSONEq(t, all, string(in.Own))
	})
}

func TestEnablingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, _ *clock) {
		require.NoError(t, s.Shops.SetEnabled(t.Context(), "acme", true))
		require.EqualValues(t, 2, version(t, s, "acme"))
		require.NoError(t, s.Shops.SetEnabled(t.Context(), "acme", true))
		require.EqualValues(t, 2, version(t, s, "acme"))
		require.NoError(t, s.Shops.SetEnabled(t.Context(), "acme", false))
		require.EqualValues(t, 3, version(t, s, "acme"))
	})
}

func TestTemplatesOfPlatformAndShop(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store, now *clock) {
		ctx := t.Context()
		addShop(t, s, "other")
		doc := func(subject string) json.RawMessage { return json.RawMessage(`{"subject":"` + subject + `"}`) }
		require.NoError(t, s.Templates.Put(ctx, "", "damaged", "en", doc("platform")))
		require.NoError(t, s.Templates.Put(ctx, "acme", "damaged", "en", doc("first")))
		require.NoError(t, s.Templates.Put(ctx, "acme", "damaged", "en", doc("shop")))
		require.NoError(t, s.Templates.Put(ctx, "acme", "damaged", "en", doc("shop")))
		require.EqualValues(t, 4, version(t, s, "acme"), "each change must count once, and a repeat must not count")
		require.EqualValues(t, 2, version(t, s, "other"))

		templates, err := s.Templates.List(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, []store.StoredTemplate{
			{Scope: "platform", Key: "damaged", Language: "en", Doc: doc("platform"), UpdatedAt: now.Now()},
			{Scope: "shop", Key: "damaged", Language: "en", Doc: doc("shop"), UpdatedAt: now.Now()},
		}, templates)
		templates, err = s.Templates.List(ctx, "")
		require.NoError(t, err)
		require.Len(t, templates, 1)
		require.Equal(t, doc("platform"), templates[0].Doc)

		require.NoError(t, s.Templates.Delete(ctx, "acme", "damaged", "en"))
		require.ErrorIs(t, s.Templates.Delete(ctx, "acme", "damaged", "en"), store.ErrNotFound)
		require.EqualValues(t, 5, version(t, s, "acme"))
		require.NoError(t, s.Templates.Delete(ctx, "", "damaged", "en"))
		require.EqualValues(t, 3, version(t, s, "other"))
	})
}
