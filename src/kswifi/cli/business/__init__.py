"""`kswifi lab business`: thirty days of business in a new installation, through the product's services."""
