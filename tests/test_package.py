import structout


def test_every_public_name_is_there() -> None:
    homes = " ".join(structout._HOMES.values()).split()
    assert sorted(homes) == sorted(structout.__all__)
    for name in structout.__all__:
        assert getattr(structout, name).__module__.startswith("structout.")
