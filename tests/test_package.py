import structout


def test_every_public_name_is_there() -> None:
    assert [name for name in dir(structout) if not name.startswith("_")] == sorted(structout.__all__)
    for name in structout.__all__:
        assert getattr(structout, name).__module__.startswith("structout.")
