"""The plugins that come with ercframe; each module below is one plugin, loaded through its entry point."""
